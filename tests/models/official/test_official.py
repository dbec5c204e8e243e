"""Configs take the paper's checkpoints without conversion."""
import json

import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner, load_checkpoint

from umurl_mmaction.models import UmURLBackbone
from umurl_mmaction.models.official.files import to_official, to_ours
from umurl_mmaction.models.official.names import our_name

CONFIGS = REPO / 'configs' / 'umurl'
TRAINED = 'fixtures/golden/trained_h128.pth.tar'
KNN = 'knn/umurl-knn_synthetic.py'
LINEAR = 'linear/umurl-linear_synthetic.py'
PRETRAIN = 'pretrain/umurl_1xb64_synthetic.py'


def build(config, backbone=None, **options):
    """The model of a config, with settings on top."""
    cfg = Config.fromfile(CONFIGS / config)
    cfg.merge_from_dict(dict(model=dict(options, backbone=backbone or {})))
    return MODELS.build(cfg.model)


def build_small(num_layers=1, out_channels=48, **backbone):
    return build(
        PRETRAIN,
        backbone=dict(embed_dims=16, num_layers=num_layers, **backbone),
        neck=dict(in_channels=32, out_channels=out_channels))


@pytest.fixture
def official(tmp_path):
    """A small file of the paper's format, and the weights under our names."""
    ours = build_small(num_layers=2).state_dict()
    path = tmp_path / 'official.pth.tar'
    torch.save(to_official(dict(state_dict=ours)), path)
    return str(path), ours


@pytest.mark.shared
def test_names_order_and_shapes_are_the_papers(shared):
    """A model that never was an official file gives such a file, too."""
    paper = torch.load(shared(TRAINED))
    ours = to_ours(paper)['state_dict']
    computed = to_official(dict(state_dict=dict(sorted(ours.items()))))
    assert list(computed['state_dict']) == list(paper['state_dict'])
    torch.testing.assert_close(
        computed['state_dict'], paper['state_dict'], atol=1e-5, rtol=0)


def test_every_weight_has_a_name_in_the_papers_code(official):
    path, ours = official
    keys = [our_name(key) for key in torch.load(path)['state_dict']]
    assert sorted(filter(None, keys)) == sorted(ours)


def test_a_pretraining_takes_an_official_file(official):
    path, ours = official
    model = build_small(num_layers=2)
    load_checkpoint(model, path, strict=True)
    torch.testing.assert_close(model.state_dict(), ours, atol=0, rtol=0)
    backbone = {
        key[len('module.backbone.'):]: value
        for key, value in torch.load(path)['state_dict'].items()
        if key.startswith('module.backbone.')
    }
    assert len(backbone) == 1 + len(model.backbone.state_dict())
    model.backbone.load_state_dict(backbone, strict=True)


@pytest.mark.parametrize('config', [KNN, LINEAR])
@pytest.mark.parametrize('modalities', [('joint', 'bone', 'motion'),
                                        ('bone', )])
def test_recognizers_take_an_official_file(official, capsys, config,
                                           modalities):
    path, ours = official
    model = build(
        config,
        backbone=dict(embed_dims=16, num_layers=2, modalities=modalities))
    load_checkpoint(model, path)
    # The position table causes no warning.
    assert 'ma_encoder' not in capsys.readouterr().out
    weights = model.backbone.state_dict()
    assert weights
    for key, value in weights.items():
        assert torch.equal(value, ours[f'backbone.{key}']), key


@pytest.mark.parametrize('several', [False, True])
@pytest.mark.parametrize('prefix', ['backbone.', 'module.backbone.'])
def test_a_backbone_is_initialised_from_an_official_file(
        official, prefix, several):
    path, ours = official
    init_cfg = dict(type='Pretrained', checkpoint=path, prefix=prefix)
    model = build(
        LINEAR,
        backbone=dict(
            embed_dims=16,
            num_layers=2,
            init_cfg=[dict(type='Normal', layer='Linear'), init_cfg]
            if several else init_cfg))
    model.init_weights()
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, ours[f'backbone.{key}']), key


def test_a_backbone_is_initialised_from_a_checkpoint_of_ours(tmp_path):
    ours = build_small().state_dict()
    path = str(tmp_path / 'ours.pth')
    torch.save(dict(state_dict=ours), path)
    backbone = UmURLBackbone(
        embed_dims=16,
        init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'))
    backbone.init_weights()
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, ours[f'backbone.{key}']), key


@pytest.mark.parametrize('backbone, message', [
    (dict(embed_dims=8),
     r'has backbone\.j_emb\.t_embedding\.0\.weight of shape \(16, 150\), this '
     r'UmURLBackbone wants \(8, 150\); embed_dims'),
    (dict(clip_len=32),
     r'has backbone\.j_emb\.s_embedding\.0\.weight of shape \(16, 192\), this '
     r'UmURLBackbone wants \(16, 96\); embed_dims, clip_len'),
    (dict(num_layers=1),
     r'has backbone\.ma_encoder\.t_tr\.layers\.1\.self_attn\.in_proj_weight '
     r'of shape \(48, 16\), this UmURLBackbone has no such weight; num_layers'
     ),
    (dict(num_layers=3),
     r'has no backbone\.ma_encoder\.t_tr\.layers\.2\.self_attn\.'
     r'in_proj_weight, this UmURLBackbone wants it of shape \(48, 16\); '
     'num_layers'),
])
@pytest.mark.parametrize('config', [KNN, LINEAR, PRETRAIN])
def test_an_official_file_of_another_size_is_refused(official, config,
                                                     backbone, message):
    neck = dict(neck=dict(in_channels=32, out_channels=48))
    model = build(
        config,
        backbone={
            **dict(embed_dims=16, num_layers=2),
            **backbone
        },
        **neck if config == PRETRAIN else {})
    with pytest.raises(ValueError, match=message) as error:
        load_checkpoint(model, official[0])
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('num_layers', [1, 3])
def test_our_checkpoints_of_other_depth_are_refused(num_layers):
    state_dict = build_small(num_layers=2).state_dict()
    model = build_small(num_layers=num_layers)
    with pytest.raises(ValueError, match=r'encoder\.temporal\.layers\.'):
        model.load_state_dict(state_dict, strict=False)


def test_projectors_of_another_size_are_refused(official, tmp_path):
    model = build_small(num_layers=2, out_channels=64)
    with pytest.raises(
            ValueError,
            match=r'has j_projector\.6\.weight of shape \(48, 32\), '
            r'this UmURL wants \(64, 32\)'):
        load_checkpoint(model, official[0])
    path = str(tmp_path / 'ours.pth')
    torch.save(dict(state_dict=official[1]), path)
    with pytest.raises(ValueError, match=r'has neck\.joint\.mlp\.6\.weight'):
        load_checkpoint(model, path)


def test_files_of_other_models_are_refused(tmp_path):
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict={'fc.weight': torch.zeros(1)}), path)
    message = (r"wanted are keys like 'backbone\.embeddings\.joint\.temporal\."
               r"0\.weight' of shape \(16, 150\), got none in 'backbone\.'")
    with pytest.raises(ValueError, match=message):
        load_checkpoint(build(KNN, backbone=dict(embed_dims=16)), path)
    backbone = UmURLBackbone(
        embed_dims=16,
        init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'))
    with pytest.raises(ValueError, match="its first key is 'fc.weight'"):
        backbone.init_weights()


@pytest.mark.shared
def test_features_of_an_official_file_are_the_papers(shared, golden):
    arrays = golden('model_h32.npz')
    path = str(shared('fixtures/golden/model_h32.pth.tar'))
    views = [
        torch.from_numpy(arrays[f'view{i}']).permute(0, 4, 2, 3, 1)
        for i in range(1, 5)
    ]
    for names, view, expected in [(('joint', ), views[0], 'y_joint'),
                                  (('bone', ), views[1], 'y_bone'),
                                  (('motion', ), views[2], 'y_motion'),
                                  (('joint', 'bone', 'motion'), views[3],
                                   'y_fused')]:
        model = build(KNN, backbone=dict(embed_dims=32, modalities=names))
        load_checkpoint(model, path)
        with torch.no_grad():
            feature = model.eval().backbone(view)
        torch.testing.assert_close(
            feature, torch.from_numpy(arrays[expected]), atol=1e-5, rtol=0)


@pytest.mark.shared
@pytest.mark.parametrize('name, modalities', [
    ('fused', ('joint', 'bone', 'motion')),
    ('joint', ('joint', )),
    ('bone', ('bone', )),
    ('motion', ('motion', )),
])
def test_retrieval_of_an_official_file_is_the_papers(shared, tmp_path, name,
                                                     modalities):
    expected = json.loads(
        shared('fixtures/golden/trained_h128.json').read_text())
    cfg = Config.fromfile(CONFIGS / KNN)
    cfg.model.backbone.update(embed_dims=128, modalities=modalities)
    for loader in (cfg.model.gallery, cfg.test_dataloader):
        loader.num_workers = 0
        loader.dataset.ann_file = str(shared('data/gtu3d.pkl'))
    cfg.load_from = str(shared(TRAINED))
    cfg.work_dir = str(tmp_path)
    cfg.experiment_name = f'retrieval_{name}'
    runner = Runner.from_cfg(cfg)
    accuracy = runner.test()['acc/top1']
    num_clips = len(runner.test_dataloader.dataset)
    assert num_clips == 159
    correct = round(accuracy * num_clips)
    assert abs(correct - expected['knn1_correct'][name]) <= 1


def test_state_dicts_are_renamed_as_files_are(official):
    """The converter and the loading hooks agree."""
    path, ours = official
    renamed = to_ours(torch.load(path))['state_dict']
    torch.testing.assert_close(renamed, dict(ours), atol=0, rtol=0)
