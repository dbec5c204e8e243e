"""Checkpoints to hand on, and their model cards."""
import hashlib

import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO, make_annotations
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import KNN, LINEAR, PRETRAIN, save_weights, tiny_config
from tools_loading import load_script, refusal

from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.fileio.checkpoints import load_checkpoint

CLIPS = [x['keypoint'] for x in make_annotations()['annotations']]


@pytest.fixture(scope='module')
def tool():
    return load_script(REPO / 'tools' / 'convert' / 'publish_model.py')


@pytest.fixture(scope='module')
def trained(ann_file, tmp_path_factory):
    """What a run of one epoch leaves, optimizer and logs and all."""
    folder = tmp_path_factory.mktemp('training')
    cfg = tiny_config(ann_file, PRETRAIN)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.dataset.ann_file = ann_file
    cfg.train_cfg.max_epochs = 1
    cfg.work_dir = str(folder)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return folder / 'epoch_1.pth'


@pytest.fixture
def published(tool, trained, tmp_path):
    """The files that the command leaves."""
    tool.main([str(trained), str(tmp_path / 'umurl')])
    path, = tmp_path.glob('*.pth')
    return path


def test_another_encoder_is_published(tool, tmp_path):
    weights = {
        'backbone.trunk.gcn.PA': torch.ones(2),
        'neck.mlp.0.weight': torch.ones(2, 2)
    }
    torch.save(dict(state_dict=weights, meta={}), tmp_path / 'gcn.pth')
    path, _ = tool.publish(str(tmp_path / 'gcn.pth'), tmp_path / 'mine')
    assert list(load_checkpoint(path)['state_dict']) == [
        'backbone.trunk.gcn.PA'
    ]


def test_only_what_using_needs_is_left(published, trained):
    before = load_checkpoint(trained)
    after = torch.load(published, weights_only=True)
    assert {'optimizer', 'message_hub', 'param_schedulers'} < set(before)
    assert set(after) == {'meta', 'state_dict'}
    assert after['meta']['epoch'] == 1
    assert any(key.startswith('neck.') for key in before['state_dict'])
    assert set(after['state_dict']) == {
        key
        for key in before['state_dict'] if key.startswith('backbone.')
    }
    for key, value in after['state_dict'].items():
        assert torch.equal(value, before['state_dict'][key])
    assert published.stat().st_size < trained.stat().st_size / 2


def test_the_name_tells_the_hash(tool, published, trained, tmp_path):
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert published.name == f'umurl-{digest[:8]}.pth'
    # The same bytes wherever it is written; the suffix may be given.
    tool.main([str(trained), str(tmp_path / 'elsewhere' / 'other.pth')])
    other = tmp_path / 'elsewhere' / f'other-{digest[:8]}.pth'
    assert other.read_bytes() == published.read_bytes()
    assert sorted(x.suffix for x in other.parent.iterdir()) == ['.pth', '.yml']


def test_the_card_says_what_is_known(tool, published, trained, tmp_path,
                                     capsys):
    card, = mmengine.load(str(published.with_suffix('.yml')))['Models']
    listed = mmengine.load(str(REPO / 'configs/umurl/metafile.yml'))['Models']
    entry = next(x for x in listed if x['Name'] == 'umurl_1xb64_synthetic')
    entry['Metadata']['Epochs'] = 1
    sha256 = hashlib.sha256(published.read_bytes()).hexdigest()
    assert card == {
        **entry, 'Weights': published.name,
        'Weights SHA-256': sha256
    }
    capsys.readouterr()
    tool.main([
        str(trained), str(tmp_path / 'mine'), '--config', 'cfgs/my_config.py',
        '--url', 'https://example.org/models/'
    ])
    output = capsys.readouterr().out
    assert 'Epochs: 1' in output and 'written to' in output
    path, = tmp_path.glob('mine-*.yml')
    assert mmengine.load(str(path))['Models'] == [{
        'Name': 'my_config',
        'Config': 'cfgs/my_config.py',
        'In Collection': 'UmURL',
        'Metadata': {
            'Architecture': 'UmURL',
            'Epochs': 1
        },
        'Weights':
        f'https://example.org/models/{path.with_suffix(".pth").name}',
        'Weights SHA-256':
        sha256
    }]


def test_the_card_knows_the_other_methods(tool):
    name = 'skeletal-twins_1xb64-3k_gtu-keypoint-3d'
    card = tool.make_card({}, 'mine', 'mine.pth', '0' * 64, f'{name}.py')
    assert card['In Collection'] == 'Skeletal Twins'
    assert card['Metadata']['Training Data'] == 'GTU 3D Actions'


def test_the_card_of_a_run_that_counts_steps(tool):
    card = tool.make_card(
        dict(epoch=0, iter=3000), 'mine', 'mine.pth', '0' * 64, 'my_config.py')
    assert card['Metadata'] == dict(Architecture='UmURL', Iterations=3000)


def test_the_card_states_results_of_the_measured_file_only(tool):
    name = 'umurl-plus_1xb64-3k_gtu-keypoint-3d'
    listed = mmengine.load(str(REPO / 'configs/umurl/metafile.yml'))['Models']
    entry = next(x for x in listed if x['Name'] == name)
    assert {'Results', 'Training Log', 'Weights SHA-256'} < set(entry)
    measured = entry['Weights SHA-256']
    card = tool.make_card({}, 'mine', 'mine.pth', measured, f'{name}.py')
    assert card == {**entry, 'Config': card['Config'], 'Weights': 'mine.pth'}
    # Another seed, or other options, by the same config.
    other = tool.make_card({}, 'mine', 'mine.pth', '0' * 64, f'{name}.py')
    assert set(card) - set(other) == {'Results', 'Training Log'}
    assert other['Weights SHA-256'] == '0' * 64


def test_it_retrieves_the_same(published, trained, ann_file):
    cfg = tiny_config(ann_file, KNN)
    first, second = (
        UmURLInferencer(cfg, path, device='cpu')(CLIPS)
        for path in (trained, published))
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key])


@pytest.mark.parametrize('name', [
    LINEAR, 'finetune/umurl-finetune_1xb128-100e_ntu60-xsub-keypoint-3d.py'
])
def test_training_starts_from_it(published, ann_file, tmp_path, name):
    """As `load_from`; nothing else of the old run is needed."""
    cfg = Config.fromfile(REPO / 'configs' / 'umurl' / name)
    for loader, split in (('train', 'train'), ('val', 'val')):
        cfg[f'{loader}_dataloader'].update(
            batch_size=4, num_workers=0, persistent_workers=False)
        cfg[f'{loader}_dataloader'].dataset.update(
            ann_file=ann_file, split=split)
    cfg.model.backbone.embed_dims = 16
    cfg.model.cls_head.update(in_channels=32, num_classes=3)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.update(
        work_dir=str(tmp_path),
        experiment_name=tmp_path.name + name.partition('/')[0],
        load_from=str(published))
    runner = Runner.from_cfg(cfg)
    loaded = []
    hook = runner.hooks[0]
    before_train = type(hook).before_train
    hook.before_train = lambda runner: (
        loaded.append({k: v.clone()
                       for k, v in runner.model.state_dict().items()}),
        before_train(hook, runner))
    runner.train()
    for key, value in torch.load(
            published, weights_only=True)['state_dict'].items():
        assert torch.equal(loaded[0][key], value)
    assert runner.iter == 3


def test_a_classifier_keeps_its_head(tool, ann_file, tmp_path, capsys):
    cfg = tiny_config(ann_file, LINEAR)
    checkpoint = save_weights(cfg, tmp_path / 'linear.pth')
    tool.main([checkpoint, str(tmp_path / 'out')])
    path, = tmp_path.glob('out-*.pth')
    results = [
        UmURLInferencer(cfg, x, device='cpu')(CLIPS)['scores']
        for x in (checkpoint, path)
    ]
    np.testing.assert_array_equal(*results)
    # It does not say which config or epoch it is of.
    card, = mmengine.load(str(path.with_suffix('.yml')))['Models']
    assert card == {
        'Name': path.stem,
        'In Collection': 'UmURL',
        'Metadata': {
            'Architecture': 'UmURL'
        },
        'Weights': path.name,
        'Weights SHA-256': hashlib.sha256(path.read_bytes()).hexdigest()
    }


@pytest.mark.shared
def test_a_checkpoint_of_the_papers_code(tool, shared, tmp_path):
    source = shared('fixtures/golden/model_h32.pth.tar')
    tool.main([str(source), str(tmp_path / 'paper')])
    path, = tmp_path.glob('*.pth')
    got = torch.load(path, weights_only=True)
    assert 'official' not in got['meta']
    weights = torch.load(source, weights_only=True)['state_dict']
    assert len(got['state_dict']) == sum(
        '_projector' not in key and not key.endswith('.pe.pe')
        for key in weights)
    torch.testing.assert_close(
        got['state_dict']['backbone.fusion.temporal.weight'],
        weights['module.backbone.mm_fusion.t_fusion.0.weight'])


@pytest.mark.parametrize('content, message', [
    (None, 'lost.pth'),
    (b'', 'torch cannot load it as weights: '),
    (b'no checkpoint', 'torch cannot load it as weights: '),
    (dict(a=1), "it has no 'state_dict'"),
    (dict(state_dict=dict(a=torch.zeros(1))), "'a' is no weight of the UmURL"),
])
def test_what_is_no_checkpoint(tool, tmp_path, capsys, content, message):
    path = tmp_path / 'lost.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    assert message in refusal(tool, capsys, path, tmp_path / 'out')
    assert not list(tmp_path.glob('out*'))
