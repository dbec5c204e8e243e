"""Runs that count passes and steps, and the warning before short ones."""
import math

import mmengine
import pytest
from conftest import REPO, make_annotations
from mmengine.config import Config
from mmengine.runner import Runner

from umurl_mmaction.analysis.run_logs import read_records

STEPS = 'pretrain/umurl_1xb64-3k_gtu-keypoint-3d.py'
EPOCHS = 'pretrain/umurl_1xb64_synthetic.py'


def build_runner(tmp_path, config, **settings):
    ann_file = str(tmp_path / 'tiny.pkl')
    mmengine.dump(make_annotations(), ann_file)
    cfg = Config.fromfile(REPO / 'configs' / 'umurl' / config)
    cfg.merge_from_dict({
        'model.backbone.embed_dims': 16,
        'model.neck.out_channels': 8,
        'train_dataloader.dataset.ann_file': ann_file,
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader.batch_size': 4,
        'val_dataloader.num_workers': 0,
        'work_dir': str(tmp_path / 'work'),
        'experiment_name': tmp_path.name,
        **settings
    })
    return Runner.from_cfg(cfg)


# 12 clips in batches of 4 are 3 steps a pass.
@pytest.mark.parametrize('passes, min_iters, steps', [(1, 7, 7), (4, 7, 12)])
def test_passes_are_the_length_but_not_fewer_than_the_least(
        tmp_path, passes, min_iters, steps):
    runner = build_runner(
        tmp_path, STEPS, **{
            'train_cfg.passes': passes,
            'train_cfg.min_iters': min_iters
        })
    runner.train()
    assert runner.iter == runner.max_iters == steps
    assert (tmp_path / 'work' / f'iter_{steps}.pth').exists()
    log = next((tmp_path / 'work').rglob('*.log')).read_text()
    assert f'{steps} steps, about {steps / 3:.3g} passes over 12 clips' in log


def test_validations_are_logged_at_their_step(tmp_path):
    """TensorBoard would draw all of them at step 0."""
    runner = build_runner(
        tmp_path, STEPS, **{
            'train_cfg.passes': 1,
            'train_cfg.min_iters': 4,
            'train_cfg.val_interval': 2
        })
    runner.train()
    records = read_records(tmp_path / 'work')
    steps = [x['step'] for _, x in records if 'retrieval/fused_top1' in x]
    assert steps == [0, 2, 4]


def test_a_schedule_without_an_end_follows_the_length(tmp_path):
    runner = build_runner(
        tmp_path, STEPS, **{
            'train_cfg.min_iters': 6,
            'train_cfg.passes': 1,
            'param_scheduler':
            [dict(type='CosineAnnealingLR', by_epoch=False, eta_min=0)]
        })
    runner.train()
    assert runner.param_schedulers[0].T_max == 6
    # That of the sixth step; it would be 0 in the seventh.
    last = 2e-3 * (1 + math.cos(math.pi * 5 / 6)) / 2
    assert runner.optim_wrapper.get_lr()['lr'][0] == pytest.approx(last)


def test_warm_up_and_cosine_follow_the_length(tmp_path):
    """The settings of `adamw_cosine.py`, with a warm-up of four steps."""
    schedule = Config.fromfile(
        REPO / 'configs/_base_/schedules/adamw_cosine.py')
    warmup, cosine = schedule.warmup_cosine
    warmup.end = cosine.begin = 4
    runner = build_runner(
        tmp_path, STEPS, **{
            'train_cfg.min_iters': 12,
            'train_cfg.passes': 1,
            'optim_wrapper.optimizer': {
                'lr': 2e-3, 'fused': True, **schedule.adamw},
            'param_scheduler': schedule.warmup_cosine
        })
    rates = []

    def step(params, step=runner.train_loop.run_iter):
        rates.append(runner.optim_wrapper.get_lr()['lr'][0])
        step(params)

    runner.train_loop.run_iter = step
    runner.train()
    assert type(runner.optim_wrapper.optimizer).__name__ == 'AdamW'
    assert runner.optim_wrapper.optimizer.defaults['weight_decay'] == 0.01
    # LinearLR reaches the full rate in the last of its steps.
    expected = [
        2e-3 * (0.01 + 0.99 * i / 3) for i in range(4)
    ] + [2e-3 * (1 + math.cos(math.pi * i / 8)) / 2 for i in range(8)]
    assert rates == pytest.approx(expected, rel=1e-5)


def test_lengths_below_one_are_refused(tmp_path):
    runner = build_runner(tmp_path, STEPS, **{'train_cfg.passes': 0})
    with pytest.raises(ValueError, match='train_cfg.passes=0 must be'):
        runner.train()


@pytest.mark.parametrize('least, warns', [(6, False), (7, True)])
def test_a_short_run_is_warned_of(tmp_path, least, warns):
    runner = build_runner(
        tmp_path, EPOCHS, **{
            'train_cfg.max_epochs': 2,
            'default_hooks.check_steps.min_iters': least
        })
    runner.train()
    log = next((tmp_path / 'work').rglob('*.log')).read_text()
    assert ('This run has 6 steps, on 12 clips in batches of 4' in log
            ) is warns


def test_a_pass_is_that_of_all_ranks_and_rounded_up(tmp_path, monkeypatch):
    """12 clips in batches of 2 x 4 are two steps."""
    monkeypatch.setattr(
        'umurl_mmaction.engine.loops.passes_train_loop.get_world_size',
        lambda: 2)
    runner = build_runner(
        tmp_path, STEPS, **{'train_cfg.passes': 5, 'train_cfg.min_iters': 1})
    assert runner.train_loop.max_iters == 5 * 2
