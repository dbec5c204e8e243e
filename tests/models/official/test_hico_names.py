"""Checkpoints of HiCo's code load as they are."""
import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from reference.model import tokens
from torch import nn

from umurl_mmaction.apis import load_model
from umurl_mmaction.engine.hooks import CheckWeightsHook

WIDTH = 8
PRETRAIN = REPO / 'configs/hico/hico_1xb64-3k_synthetic.py'
KNN = REPO / 'configs/hico/hico-knn_1xb64_utd-mhad-keypoint-3d.py'
LEVELS = dict(clip=1, part=1, td=4, sd=4, instance=8)


def their_network():
    """Torch's modules under the names of `hico/hi_encoder.py`."""
    encoder = nn.ModuleDict()
    for axis, size in dict(t=2 * 25 * 3, s=64 * 3).items():
        encoder[f'{axis}_embedding'] = nn.Sequential(
            nn.Linear(size, WIDTH), nn.LayerNorm(WIDTH), nn.ReLU(),
            nn.Linear(WIDTH, WIDTH))
        encoder[f'{axis}_downsample'] = nn.ModuleDict(
            dict(
                conv=nn.ModuleDict(
                    dict(
                        dw_conv=nn.Conv1d(
                            WIDTH, WIDTH, 5, padding=2, groups=WIDTH))),
                norm=nn.LayerNorm(WIDTH)))
        encoder[f'{axis}_encoder'] = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(WIDTH, 4, WIDTH, batch_first=True), 1)
    network = nn.ModuleDict(dict(hi_encoder=encoder))
    for level, width in LEVELS.items():
        network[f'{level}_proj'] = nn.Sequential(
            nn.Linear(width * WIDTH, 512), nn.ReLU(), nn.Linear(512, 128))
    return network.eval()


def their_feature(network, x):
    """All granularities of time, then of the joints: (N, 8 * WIDTH)."""
    encoder, pooled = network['hi_encoder'], []
    for letter, axis in (('t', 'temporal'), ('s', 'spatial')):
        h = encoder[f'{letter}_embedding'](tokens(x, axis))
        down = encoder[f'{letter}_downsample']
        for level in range(4):
            if level:
                h = down['conv']['dw_conv'](h.transpose(1, 2)).transpose(1, 2)
                h = torch.relu(down['norm'](h)).transpose(1, 2)
                h = nn.functional.max_pool1d(h, 2).transpose(1, 2)
            pooled.append(encoder[f'{letter}_encoder'](h).amax(1))
    return torch.cat(pooled, dim=1)


@pytest.fixture
def theirs(tmp_path):
    """Their two networks, and a file as `pretraining.py` writes it."""
    networks = dict(encoder_q=their_network(), encoder_k=their_network())
    weights = nn.ModuleDict(networks).state_dict()
    for level in 'cptsi':
        columns = 4 * 2048 if level in 'cp' else 2048
        weights[f'{level}_queue'] = torch.randn(128, columns)
        weights[f'{level}_queue_ptr'] = torch.zeros(1, dtype=torch.long)
    path = str(tmp_path / 'checkpoint_0450.pth.tar')
    torch.save(dict(epoch=451, state_dict=weights, optimizer={}), path)
    return networks, weights, path


def config(path, tmp_path, **model):
    cfg = Config.fromfile(path)
    cfg.model.backbone.update(
        graph_cfg=dict(layout='nturgb+d'), num_person=2, embed_dims=WIDTH,
        modalities=('joint', ))
    cfg.merge_from_dict(model)
    cfg.update(
        work_dir=str(tmp_path), experiment_name=f'{path.stem}-{tmp_path.name}')
    return cfg


@pytest.mark.parametrize('modality', ['joint', 'motion'])
def test_features_are_those_of_their_modules(theirs, tmp_path, modality):
    networks, _, path = theirs
    cfg = config(KNN, tmp_path)
    cfg.model.backbone.modalities = (modality, )
    encoder = load_model(cfg, path, 'cpu').backbone
    stream = torch.randn(3, 2, 64, 25, 3)
    with torch.no_grad():
        torch.testing.assert_close(
            encoder({modality: stream}),
            their_feature(networks['encoder_q'], stream))


def test_pre_training_goes_on_from_it(theirs, tmp_path):
    """As `load_from`: projectors and moving average, too."""
    networks, weights, path = theirs
    cfg = config(PRETRAIN, tmp_path)
    cfg.model.neck.hidden_channels = 512
    model = MODELS.build(cfg.model)
    runner = Runner(
        model, str(tmp_path), experiment_name=f'from-{tmp_path.name}',
        default_hooks=dict(
            logger=None, checkpoint=None, timer=None, param_scheduler=None,
            sampler_seed=None, runtime_info=None),
        custom_hooks=[CheckWeightsHook()],
        default_scope='mmaction')
    runner.load_checkpoint(path)
    # The queues hold whole batches.
    view = torch.randn(4, 2, 64, 25, 3)
    with torch.no_grad():
        for name, network in (
                ('encoder_q', model._online()),
                ('encoder_k', model.target.module)):
            network.eval()
            feature, projections = model._embed(network, dict(joint=view))
            expected = their_feature(networks[name], view)
            torch.testing.assert_close(feature, expected)
            torch.testing.assert_close(
                projections['instance'],
                networks[name]['instance_proj'](expected))
            torch.testing.assert_close(
                projections['spatial_2'], networks[name]['part_proj'](
                    expected[:, 5 * WIDTH:6 * WIDTH]))
    # The first step follows the average of the file, and is no new start.
    weight = 'module.neck.instance.mlp.0.weight'
    start = model.target.state_dict()[weight].clone()
    online = model._online().state_dict()[weight.partition('.')[2]]
    assert not torch.equal(start, online)
    model.loss([view, view])
    torch.testing.assert_close(
        model.target.state_dict()[weight],
        torch.lerp(start, online, model.target.momentum))


def test_the_file_does_not_say_its_modality(theirs, tmp_path):
    cfg = config(KNN, tmp_path)
    cfg.model.backbone.modalities = ('joint', 'bone')
    with pytest.raises(
            ValueError, match='one modality and does not say which: set '
            'model.backbone.modalities to it') as error:
        load_model(cfg, theirs[2], 'cpu')
    assert '\n' not in str(error.value)


def test_recurrent_encoders_are_refused(theirs, tmp_path):
    _, weights, path = theirs
    weights['encoder_q.hi_encoder.t_encoder.weight_ih_l0'] = torch.zeros(3)
    torch.save(dict(state_dict=weights), path)
    with pytest.raises(
            ValueError, match='has no encoder_q.hi_encoder.t_encoder.weight_'
            'ih_l0: of its checkpoints, those of recurrent encoders'):
        load_model(config(KNN, tmp_path), path, 'cpu')
