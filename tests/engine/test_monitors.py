"""What a pre-training run tells about itself."""
import json
from types import SimpleNamespace

import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO, make_annotations
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.runner import Runner, load_checkpoint
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from umurl_mmaction.engine.hooks import collapse_monitor_hook
from umurl_mmaction.engine.hooks.throughput_hook import ThroughputHook
from umurl_mmaction.engine.loops import nearest_neighbor_val_loop
from umurl_mmaction.models.utils import encoding

CONFIGS = REPO / 'configs' / 'umurl'
MODALITIES = ('joint', 'bone', 'motion')


@pytest.fixture
def train(tmp_path):

    def run(tamper=None, **changes):
        data = make_annotations(num_train=24)
        if tamper:
            tamper(data)
        ann_file = str(tmp_path / 'set.pkl')
        mmengine.dump(data, ann_file)
        cfg = Config.fromfile(CONFIGS / 'pretrain/umurl_1xb64_synthetic.py')
        cfg.merge_from_dict({
            'model.backbone.embed_dims': 16,
            'model.neck': dict(in_channels=32, out_channels=64),
            'train_dataloader.batch_size': 8,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.dataset.ann_file': ann_file,
            'train_cfg.max_epochs': 4,
            'train_cfg.val_interval': 2,
            'val_dataloader.num_workers': 0,
            'default_hooks.collapse_monitor.interval': 5,
            'default_hooks.logger.interval': 1,
            'work_dir': str(tmp_path / 'work'),
            'experiment_name': tmp_path.name,
            'randomness': dict(seed=1),
            **changes
        })
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    run.folder = tmp_path / 'work'
    run.ann_file = str(tmp_path / 'set.pkl')
    return run


def scalars(runner):
    """All that the JSON log holds, by name."""
    values = {}
    path = f'{runner._log_dir}/vis_data/scalars.json'
    for line in mmengine.list_from_file(path):
        entry = json.loads(line)
        for name, value in entry.items():
            values.setdefault(name, []).append(value)
    return values


def test_everything_is_in_the_json_log_and_in_tensorboard(train):
    runner = train()
    values = scalars(runner)
    terms = ['loss', 'loss_intra', 'loss_inter', 'loss_var', 'loss_cov']
    for name in [*terms, 'lr', 'clips_per_s', 'memory']:
        assert len(values[name]) == 12, name
        assert np.isfinite(values[name]).all()
    total = np.sum([values[name] for name in terms[1:]], axis=0)
    np.testing.assert_allclose(values['loss'], total, rtol=1e-4)
    for name in ('std', 'effective_rank', 'dead_share', 'agreement_joint',
                 'agreement_bone', 'agreement_motion'):
        assert len(values[f'collapse/{name}']) == 6
    # Before training, and twice while it goes on.
    for name in ('fused', *MODALITIES):
        assert len(values[f'retrieval/{name}_top1']) == 3
    # The classes are three poses.
    assert values['retrieval/raw_joints_top1'] == [1.0]
    board = EventAccumulator(f'{runner._log_dir}/vis_data').Reload()
    tags = board.Tags()['scalars']
    for name in [*terms, 'lr', 'clips_per_s', 'memory', 'collapse/std',
                 'retrieval/fused_top1']:
        assert name in tags
    log = next(train.folder.glob('*/*.log')).read_text()
    assert 'eta: ' in log and 'effective rank' in log
    assert 'before training, top-1: raw joints 100.0 %, fused ' in log


def test_monitored_retrieval_is_that_of_the_retrieval_config(train):
    runner = train()
    values = scalars(runner)
    best = list(train.folder.glob('best_retrieval_fused_top1_*.pth'))
    assert len(best) == 1
    runner.save_checkpoint(str(train.folder), 'last.pth')
    for name in ('fused', *MODALITIES):
        cfg = Config.fromfile(CONFIGS / 'knn/umurl-knn_synthetic.py')
        names = MODALITIES if name == 'fused' else (name, )
        cfg.model.backbone.update(embed_dims=16, modalities=names)
        for loader in (cfg.test_dataloader, cfg.model.gallery):
            loader.update(batch_size=5, num_workers=0)
            loader.dataset.ann_file = train.ann_file
        cfg.update(
            work_dir=str(train.folder / name),
            load_from=str(train.folder / 'last.pth'),
            experiment_name=f'{train.folder.parent.name}-{name}')
        expected = Runner.from_cfg(cfg).test()['acc/top1']
        assert values[f'retrieval/{name}_top1'][-1] == pytest.approx(
            expected, abs=1e-4)


def test_monitors_change_no_weight(train, tmp_path):
    # DropPath draws from torch's own generator.
    random = {'model.backbone.drop_path_rate': 0.5}
    watched = train(**random).model.state_dict()
    alone = train(
        **random,
        default_hooks=dict(collapse_monitor=dict(interval=0)),
        val_cfg=None,
        val_dataloader=None,
        val_evaluator=None,
        experiment_name='alone')
    assert alone.val_loop is None
    for key, value in alone.model.state_dict().items():
        assert torch.equal(value, watched[key]), key


def unlabelled(data):
    for clip in data['annotations']:
        del clip['label']


def without_split(data):
    del data['split']['val']


@pytest.mark.parametrize('tamper, reason', [
    (unlabelled, "not all clips of split 'train' have labels"),
    (without_split, "has no split 'val', only ['train']"),
])
def test_without_labels_retrieval_is_skipped_in_one_line(
        train, tamper, reason):
    runner = train(tamper)
    assert runner.val_loop.run() == {}
    log = next(train.folder.glob('*/*.log')).read_text()
    lines = [x for x in log.splitlines() if 'Retrieval is not mon' in x]
    assert len(lines) == 1 and reason in lines[0]


def test_the_file_and_the_split_follow_the_training_set(train):
    """Whatever the training set is called: no second setting."""

    def rename(data):
        split = data['split']
        split['xsub_train'] = split.pop('train')
        split['xsub_val'] = split.pop('val')

    change = {'train_dataloader.dataset.split': 'xsub_train'}
    runner = train(rename, **change)
    assert runner.val_loop.dataloader.dataset.split == 'xsub_val'
    assert len(runner.val_loop.dataloader.dataset) == 6


def test_a_repeated_set_is_trained_without_retrieval(train):
    inner = Config.fromfile(
        CONFIGS / 'pretrain/umurl_1xb64_synthetic.py').train_dataloader.dataset
    inner.ann_file = train.ann_file
    runner = train(**{
        'train_dataloader.dataset': dict(
            _delete_=True, type='RepeatDataset', times=2, dataset=inner),
        'train_cfg.max_epochs': 1
    })
    assert runner.iter == 6
    log = next(train.folder.glob('*/*.log')).read_text()
    assert log.count('Retrieval is not monitored: RepeatDataset is no') == 1


def test_collapse_is_warned_about_once(train):
    train(
        default_hooks=dict(
            collapse_monitor=dict(interval=1, threshold=9., patience=3)))
    log = next(train.folder.glob('*/*.log')).read_text()
    lines = [x for x in log.splitlines() if 'seems to collapse' in x]
    assert len(lines) == 1 and 'WARNING' in lines[0]
    assert 'smaller learning rate' in lines[0]


def test_only_low_looks_in_a_row_are_a_collapse(monkeypatch):
    said = []
    monkeypatch.setattr(collapse_monitor_hook, 'print_log',
                        lambda *args: said.append(args))
    hook = collapse_monitor_hook.CollapseMonitorHook(
        threshold=0.1, patience=3)
    for std in (0., 0., 1., 0., 0.):
        hook._warn(std)
    assert not said
    hook._warn(0.)
    assert len(said) == 1


@pytest.mark.parametrize('world_size', [1, 2])
def test_throughput_is_that_of_all_ranks(monkeypatch, world_size):
    hub = MessageHub('throughput')
    hub.update_scalar('train/time', 0.5)
    monkeypatch.setattr('mmengine.dist.get_world_size', lambda: world_size)
    runner = SimpleNamespace(message_hub=hub)
    # The last batch of an epoch may have fewer clips.
    for clips in (8, 3):
        ThroughputHook().after_train_iter(
            runner, 0, dict(data_samples=[None] * clips))
        rate = hub.get_scalar('train/clips_per_s').current()
        assert rate == 2 * clips * world_size


def test_a_short_run_is_looked_at_more_than_once(train, capsys):
    train(default_hooks=dict(collapse_monitor=dict(interval=100)))
    # 12 iterations.
    lines = [line for line in capsys.readouterr().out.splitlines()
             if 'Features at iteration' in line]
    assert [int(line.split('iteration ')[1].split(':')[0])
            for line in lines] == [2, 4, 6, 8, 10, 12]
    assert all(line.endswith(': no sign of collapse') for line in lines)


def test_iterations_are_validated_too(train):
    runner = train(
        train_cfg=dict(
            _delete_=True,
            type='IterBasedTrainLoop',
            max_iters=7,
            val_interval=3),
        param_scheduler=[],
        log_processor=dict(by_epoch=False),
        default_hooks=dict(
            checkpoint=dict(by_epoch=False, interval=6)))
    # Before training, after iterations 3 and 6, and at the end.
    assert len(scalars(runner)['retrieval/fused_top1']) == 4


def test_a_loss_that_is_not_finite_stops_the_run(train):
    # Clips that would do that are refused earlier.
    with pytest.raises(FloatingPointError) as error:
        train(**{'train_dataloader.batch_size': 24,
                 'model.heads.regularizer.cov_weight': 1e300})
    message = str(error.value)
    assert '\n' not in message and 'iteration 1 (epoch 1)' in message
    assert 'loss_cov nan' in message or 'loss_cov inf' in message
    assert '24 clips of the batch' in message
    log = next(train.folder.glob('*/*.log')).read_text()
    assert 'Clips of the batch: ' in log and 'clip005' in log
    assert not list(train.folder.glob('*.pth'))


def test_best_checkpoint_loads(train):
    runner = train()
    best = next(train.folder.glob('best_*.pth'))
    load_checkpoint(runner.model, str(best), strict=True)


@pytest.mark.parametrize('fp16', [False, True])
def test_monitored_retrieval_takes_the_precision_that_is_set(
        train, monkeypatch, fp16):
    seen = []
    encode = encoding.extract_features

    def look(*args, **kwargs):
        seen.append(torch.is_autocast_enabled('cpu'))
        return encode(*args, **kwargs)

    # Of the gallery, and of the queries.
    for module in (encoding, nearest_neighbor_val_loop):
        monkeypatch.setattr(module, 'extract_features', look)
    # Without the first epoch of another monitor.
    train(**{
        'train_cfg.max_epochs': 2,
        'val_cfg.fp16': fp16,
        'default_hooks.collapse_monitor.interval': 100
    })
    assert set(seen) == {fp16}


@pytest.mark.parametrize('standardize', [False, True])
def test_monitored_retrieval_is_standardised_by_option(train, standardize):
    runner = train(**{'val_cfg.standardize': standardize,
                      'train_cfg.max_epochs': 1})
    gallery = runner.val_loop._encode_gallery(runner.model, ['fused'])['fused']
    assert bool(gallery.center.any()) == standardize
