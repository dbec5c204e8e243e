"""MMAction2's backbones as encoders of several streams."""
import pytest
import torch
from mmaction.models.utils import Graph
from mmaction.registry import MODELS
from mmengine.runner import load_checkpoint, save_checkpoint
from torch import nn
from torch.testing import assert_close

from umurl_mmaction.analysis.flops import count_flops
from umurl_mmaction.models import EarlyFusionEncoder
from umurl_mmaction.skeleton import build_layout
from umurl_mmaction.skeleton.modalities import generate_modalities

SMALL = dict(base_channels=8, num_stages=3, inflate_stages=[2])
TRUNKS = dict(
    stgcn=dict(type='STGCN', graph_cfg=dict(mode='stgcn_spatial'), **SMALL),
    stgcnpp=dict(
        type='STGCN',
        graph_cfg=dict(mode='spatial'),
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        down_stages=[3],
        **SMALL),
    aagcn=dict(type='AAGCN', graph_cfg=dict(mode='spatial'), **SMALL))
every_trunk = pytest.mark.parametrize('name', TRUNKS)


def build(name='stgcnpp', clip_len=12, **settings):
    return EarlyFusionEncoder(TRUNKS[name], clip_len=clip_len, **settings)


def joints(batch=3, num_person=2, clip_len=12, num_joints=25, coords=3):
    return torch.randn(batch, num_person, clip_len, num_joints, coords)


def build_stock(name):
    """A recognizer of MMAction2 whose batch norms have seen clips."""
    trunk = TRUNKS[name]
    model = MODELS.build(
        dict(
            type='RecognizerGCN',
            backbone=dict(
                trunk, graph_cfg=dict(trunk['graph_cfg'], layout='nturgb+d')),
            cls_head=dict(type='GCNHead', num_classes=5, in_channels=16)))
    for _ in range(3):
        model.backbone(2 + 3 * joints())
    return model.eval()


def scores(model, x):
    feature, _ = model.extract_feat(x[:, None], stage='head')
    return feature


@every_trunk
def test_a_stock_checkpoint_gives_the_same_scores(name, tmp_path):
    stock, path = build_stock(name), str(tmp_path / 'stock.pth')
    save_checkpoint(dict(state_dict=stock.state_dict()), path)
    ours = MODELS.build(
        dict(
            type='RecognizerGCN',
            backbone=dict(
                type='EarlyFusionEncoder',
                trunk=TRUNKS[name],
                clip_len=12,
                modalities=('joint', ),
                embed_channels=None),
            cls_head=dict(
                type='LinearClsHead', num_classes=5, in_channels=16)))
    load_checkpoint(ours, path, strict=True)
    x = joints()
    # One body only, as most clips have.
    x[0, 1] = 0
    assert_close(scores(ours.eval(), x), scores(stock, x))
    assert ours.backbone.out_channels == 16


@every_trunk
def test_without_norm_and_mixing_the_trunk_gets_the_mean(name):
    stock = build_stock(name).backbone
    encoder = build(name, embed_channels=3).eval()
    encoder.trunk.load_state_dict(stock.state_dict())
    for embedding in encoder.embeddings.values():
        embedding.data_bn.running_var.fill_(1 - embedding.data_bn.eps)
        nn.init.eye_(embedding.linear.weight)
    x = joints()
    streams = generate_modalities(x, encoder.modalities, encoder.layout)
    for given in (['motion'], ['joint', 'bone'], list(streams)):
        mean = torch.stack([streams[m] for m in given]).mean(dim=0)
        assert_close(
            encoder({m: streams[m]
                     for m in given}),
            stock(mean).mean(dim=(1, 3, 4)))


def test_stock_weights_that_fit_are_taken(tmp_path):
    stock, path = build_stock('stgcnpp'), str(tmp_path / 'stock.pth')
    save_checkpoint(dict(state_dict=stock.state_dict()), path)
    pretrained = dict(
        type='Pretrained', checkpoint=path, prefix='backbone.')
    encoder = EarlyFusionEncoder(
        dict(TRUNKS['stgcnpp'], init_cfg=pretrained), clip_len=12)
    encoder.init_weights()
    taken = encoder.trunk.state_dict()
    other = {
        key.rpartition('.')[0]
        for key, value in stock.backbone.state_dict().items()
        if taken[key].shape != value.shape or (taken[key] != value).any()
    }
    # These depend on the channels of the input.
    assert other == {'data_bn', 'gcn.0.gcn.conv', 'gcn.0.gcn.down.0'}
    with pytest.raises(ValueError, match='init_cfg of the trunk') as error:
        encoder.load_state_dict(stock.backbone.state_dict())
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('layout', ['coco', 'nturgb+d', 'openpose'])
def test_known_layouts_have_the_graph_of_mmaction2(layout):
    encoder = build('stgcn', graph_cfg=dict(layout=layout))
    expected = torch.tensor(
        Graph(layout, mode='stgcn_spatial').A, dtype=torch.float32)
    assert torch.equal(encoder.trunk.gcn[0].gcn.A, expected)


def test_other_layouts_have_the_graph_of_their_bones():
    layout = build_layout('kinect-v1')
    encoder = build(graph_cfg=dict(layout='kinect-v1'))
    _, inward, outward = encoder.trunk.gcn[0].gcn.A
    assert torch.equal(inward > 0, outward.T > 0)
    bones = {(v, p) for v, p in enumerate(layout.parents) if p != -1}
    assert bones == {(v, p) for p, v in inward.nonzero().tolist()}
    # The root is the middle of ST-GCN's partition.
    assert layout.graph['center'] == layout.joints.index('hip_center')
    coco = build_layout('coco')
    for mode in ('spatial', 'stgcn_spatial', 'binary_adj'):
        assert (Graph(coco.graph, mode).A == Graph('coco', mode).A).all()
    assert encoder(joints(num_joints=20)).shape == (3, 16)


def test_views_share_batch_statistics_and_do_not_mix_in_evaluation():
    encoder, x = build(), joints()
    streams = encoder.streams(x)
    views = [{m: stream} for m, stream in streams.items()] + [streams]
    # The means of the trunk's inputs, over all views.
    inputs = []
    handle = encoder.trunk.data_bn.register_forward_pre_hook(
        lambda _, args: inputs.append(args[0]))
    encoder.encode_views(views)
    handle.remove()
    assert len(inputs) == 1 and len(inputs[0]) == 4 * 3 * 2
    assert_close(encoder.trunk.data_bn.running_mean,
                 0.1 * inputs[0].mean(dim=(0, 2)))
    # The modality's own, over its two views: they hold the same stream here.
    assert_close(encoder.embeddings['motion'].data_bn.running_mean,
                 0.1 * streams['motion'].flatten(3).mean(dim=(0, 1, 2)))
    encoder.eval()
    together = encoder.encode_views(views)
    for view, feature in zip(views, together):
        assert_close(encoder(view), feature)


def test_a_missing_body_is_zeros_and_counts():
    encoder, x = build(), joints(num_person=1) + 5
    encoder(x)
    mean = encoder.embeddings['joint'].data_bn.running_mean
    # Half of the bodies are missing.
    assert_close(mean, 0.1 * x.flatten(3).mean(dim=(0, 1, 2)) / 2)
    both = torch.cat([x, torch.zeros_like(x)], dim=1)
    encoder.eval()
    assert_close(encoder(x), encoder(both))


def test_pooling_along_axes_names_the_parts():
    encoder = build(pool='axes').eval()
    maps = []
    encoder.trunk.register_forward_hook(lambda *args: maps.append(args[2]))
    feature = encoder(joints())
    assert feature.shape == (3, 32) and encoder.out_channels == 32
    y, = maps
    parts = encoder.feature_parts
    assert list(parts) == ['temporal', 'spatial']
    frames = y.permute(0, 3, 2, 1, 4).flatten(3).mean(dim=-1)
    assert_close(feature[:, parts['temporal']], frames.max(dim=1).values)
    bodies_joints = y.permute(0, 1, 4, 2, 3).flatten(1, 2).mean(dim=-1)
    assert_close(feature[:, parts['spatial']], bodies_joints.max(dim=1).values)
    assert build().feature_parts == {}


def test_flops_are_those_of_the_products():
    trunk = dict(
        type='STGCN',
        graph_cfg=dict(mode='stgcn_spatial'),
        base_channels=8,
        num_stages=2,
        inflate_stages=[2],
        down_stages=[2])
    encoder = EarlyFusionEncoder(trunk, clip_len=12, embed_channels=5).eval()
    bodies, joints_, subsets = 2, 25, 3
    total = 3 * 12 * joints_ * 3 * 5  # the embeddings
    for frames, out_frames, inner, outer in ((12, 12, 5, 8), (12, 6, 8, 16)):
        mixed = inner * subsets * outer
        graph = subsets * joints_ * outer
        total += frames * joints_ * (mixed + graph)
        total += out_frames * joints_ * 9 * outer * outer
    total += 6 * joints_ * 8 * 16  # the shortcut of the last stage
    with torch.no_grad():
        counted = count_flops(lambda: encoder(joints(batch=1)))
    assert counted == 2 * bodies * total


@MODELS.register_module()
class FramesTrunk(nn.Module):
    """A backbone of one's own, without a graph."""

    def __init__(self, in_channels, kernel=3, flat=False):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 6, (kernel, 1), stride=(2, 1))
        self.flat = flat

    def forward(self, x):
        y = self.conv(x.flatten(0, 1).permute(0, 3, 1, 2))
        return y if self.flat else y.unflatten(0, x.shape[:2])


def test_any_backbone_of_the_registry_serves():
    encoder = EarlyFusionEncoder(dict(type='FramesTrunk'), clip_len=12)
    assert encoder.out_channels == 6
    assert encoder(joints()).shape == (3, 6)


ONE_JOINT = dict(name='dot', joints=['center'], parents=[-1])


@pytest.mark.parametrize('settings, message', [
    (dict(trunk=dict(type='FramesTrunk', kernel=13)),
     'FramesTrunk does not take clips .*Kernel size'),
    (dict(trunk=dict(type='FramesTrunk', flat=True)),
     r'to \(2, 6, 5, 25\), wanted is \(N, M'),
    (dict(trunk=dict(type='ResNet', depth=18)), 'ResNet does not take clips'),
    (dict(clip_len=2, trunk=dict(TRUNKS['stgcn'], down_stages=[2, 3])),
     'clip_len=2 is too short for trunk STGCN: its gcn.2.residual.conv gets'),
    (dict(graph_cfg=dict(layout=ONE_JOINT)), "layout 'dot' has no bones"),
    (dict(trunk=dict(type='STGCN', graph_cfg=dict(layout='coco'))),
     "layout='coco' is not wanted in the trunk"),
    (dict(trunk=dict(TRUNKS['stgcn'], in_channels=3)),
     'in_channels=3 is not wanted in the trunk'),
    (dict(embed_channels=None), 'want embed_channels'),
    (dict(embed_channels=0), 'embed_channels=0 must be at least 1'),
    (dict(pool='max'), "unknown pool 'max'; known are .'axes', 'mean'"),
])
def test_misuse_is_told_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        EarlyFusionEncoder(
            **dict(dict(trunk=TRUNKS['stgcn'], clip_len=12), **settings))
    assert '\n' not in str(error.value)


def test_an_unknown_trunk_is_named():
    with pytest.raises(KeyError, match="'STGCNN' is no model"):
        EarlyFusionEncoder(dict(type='STGCNN'))
