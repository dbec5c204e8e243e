"""HiCo's encoder, and HiCo as its configs describe it."""
import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from reference import hico as plain
from reference.model import MODALITIES
from torch.testing import assert_close

from umurl_mmaction.models import HiCoBackbone

CONFIGS = REPO / 'configs/hico'
NTU = CONFIGS / 'hico-joint_1xb64-451e_ntu60-xsub-keypoint-3d.py'


@pytest.mark.parametrize('modalities', [('joint', ), MODALITIES])
def test_the_feature_equals_the_plain_one(modalities):
    encoder = HiCoBackbone(
        embed_dims=8, clip_len=9, modalities=modalities).double().eval()
    weights = {f'backbone.{k}': v for k, v in encoder.named_parameters()}
    view = torch.randn(3, 2, 9, 25, 3).double()
    streams = {name: plain.stream(view, name) for name in modalities}
    wanted = [
        plain.granularities(weights, streams, axis)
        for axis in ('temporal', 'spatial')
    ]
    feature = encoder(view)
    assert feature.shape == (3, encoder.out_channels) == (3, 64)
    for axis, levels in zip(('temporal', 'spatial'), wanted):
        parts = encoder.feature_parts
        assert_close(feature[:, parts[axis]], torch.cat(levels, dim=1))
        for i, level in enumerate(levels):
            assert_close(feature[:, parts[f'{axis}_{i + 1}']], level)


def test_dropout_is_at_work_in_training_only():
    encoder = HiCoBackbone(embed_dims=8, clip_len=8, dropout=0.5)
    x = torch.randn(1, 2, 8, 25, 3)
    assert not torch.equal(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))


def test_too_few_tokens_are_refused():
    with pytest.raises(
            ValueError, match='granularities=5 must be at least 1, and of 8 '
            'frames, or joints') as error:
        HiCoBackbone(embed_dims=8, clip_len=8, granularities=5)
    assert '\n' not in str(error.value)
    # Odd numbers of tokens lose the last one.
    short = HiCoBackbone(embed_dims=8, clip_len=9, granularities=4)
    assert short(torch.zeros(1, 2, 9, 25, 3)).shape == (1, 64)


def test_recipe_of_ntu_is_the_one_that_was_read():
    cfg = Config.fromfile(NTU)
    model = MODELS.build(cfg.model)
    assert model.backbone.out_channels == 4096
    assert model.modalities == ('joint', )
    rows = {
        name: tuple(head.queue.features.shape)
        for name, head in model.heads.items()
    }
    assert rows == dict(
        clip=(8192, 128),
        part=(8192, 128),
        temporal=(2048, 128),
        spatial=(2048, 128),
        instance=(2048, 128))
    widths = {
        level: [x.weight.shape for x in neck.mlp[::2]]
        for level, neck in model.neck.items()
    }
    assert widths == {
        level: [(512, channels), (128, 512)]
        for level, channels in dict(
            clip=512, part=512, temporal=2048, spatial=2048,
            instance=4096).items()
    }
    # The linear weights are Xavier's uniform ones.
    model.init_weights()
    for part in (model.backbone, model.neck):
        layers = [x for x in part.modules() if isinstance(x, torch.nn.Linear)]
        assert len(layers) >= 10
        for layer in layers:
            bound = (6 / sum(layer.weight.shape))**0.5
            assert 0.99 * bound < layer.weight.abs().max() <= bound
            assert layer.bias is None or not layer.bias.any()
    assert model.target.momentum == 0.001
    assert {head.temperature for head in model.heads.values()} == {0.2}
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4)
    assert cfg.train_dataloader.batch_size == 64
    assert cfg.train_dataloader.drop_last
    assert cfg.train_cfg.max_epochs == 451


@pytest.mark.parametrize('renew_all', [True, False])
def test_the_trap_of_the_published_queue(renew_all):
    """Its queue holds four keys of a clip, its pointer wraps at one each."""
    head = MODELS.build(
        dict(
            type='QueueContrastHead',
            query='a',
            keys=['a', 'b', 'c', 'd'],
            channels=3,
            queue_size=8,
            renew_all=renew_all))
    assert head.queue.features.shape == (32, 3)
    start = head.queue.features
    for _ in range(40):
        views = {part: torch.randn(2, 3) for part in 'abcd'}
        head(views, views)
    stale = (head.queue.features[:, None] == start).all(dim=2).any(dim=1)
    assert stale.sum() == (0 if renew_all else 3 * 8)


def test_the_switch_is_in_the_config():
    cfg = Config.fromfile(NTU)
    cfg.merge_from_dict({
        'model.heads.clip.renew_all': False,
        'model.heads.part.renew_all': False
    })
    heads = MODELS.build(cfg.model).heads
    assert {name: head.queue.renewed
            for name, head in heads.items()} == dict.fromkeys(heads, 2048)


def test_drop_path_takes_the_place_of_dropout():
    x = torch.randn(16, 2, 8, 25, 3)
    encoder = HiCoBackbone(
        embed_dims=8, clip_len=8, dropout=0., drop_path_rate=0.5)
    assert not torch.equal(encoder(x), encoder(x))
    with pytest.raises(ValueError, match='0.5 and dropout=0.1 exclude each'):
        HiCoBackbone(embed_dims=8, clip_len=8, drop_path_rate=0.5)
