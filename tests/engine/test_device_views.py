"""Pre-training with views made on the device, through the Runner."""
import pytest
import torch
from conftest import REPO
from mmengine.config import Config
from mmengine.runner import Runner

PRETRAIN = 'configs/umurl/pretrain/umurl_1xb64_synthetic.py'


@pytest.fixture
def run(tmp_path, ann_file):
    """Train two epochs, three batches each; return every batch's views."""

    def train(name, watch=True, **changes):
        cfg = Config.fromfile(REPO / PRETRAIN)
        cfg.model.backbone.embed_dims = 16
        cfg.model.neck.update(in_channels=32, out_channels=64)
        cfg.train_dataloader.update(
            batch_size=4, num_workers=0, persistent_workers=False)
        cfg.val_dataloader.update(batch_size=4, num_workers=0)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.ann_file = ann_file
        cfg.train_cfg.max_epochs = 2
        cfg.default_hooks.checkpoint.interval = 1
        cfg.merge_from_dict({
            'work_dir': str(tmp_path / name),
            'experiment_name': f'{tmp_path.name}-{name}',
            'randomness': dict(seed=5),
            **changes
        })
        runner = Runner.from_cfg(cfg)
        seen = []
        model = runner.model
        loss = model.loss

        def spy(views):
            seen.append([view.clone() for view in views])
            return loss(views)

        if watch:
            model.loss = spy
        runner.train()
        return seen, model.state_dict()

    train.ann_file = ann_file
    return train


def equal(first, second):
    return all(
        torch.equal(a, b) for x, y in zip(first, second)
        for a, b in zip(x, y))


def test_worker_processes_change_nothing(run):
    views, weights = run('main')
    assert len(views) == 6 and len(views[0]) == 4
    assert views[0][0].shape == (4, 2, 64, 25, 3)
    assert not equal(views[:3], views[3:])
    others, other_weights = run(
        'workers', train_dataloader=dict(num_workers=2))
    assert equal(views, others)
    assert all(
        torch.equal(weights[key], other_weights[key]) for key in weights)


def test_a_resumed_run_draws_the_same(run, tmp_path):
    whole, weights = run('whole')
    resumed, other_weights = run(
        'resumed', resume=True, load_from=str(tmp_path / 'whole/epoch_1.pth'))
    assert len(resumed) == 3 and equal(whole[3:], resumed)
    assert all(
        torch.equal(weights[key], other_weights[key]) for key in weights)


def test_a_set_kept_on_the_device_gives_the_same(run):
    shipped, weights = run('shipped')
    kept, other_weights = run(
        'kept', custom_hooks=[dict(type='KeepOnDeviceHook')])
    assert equal(shipped, kept)
    assert all(
        torch.equal(weights[key], other_weights[key]) for key in weights)


def test_keeping_wants_views_on_the_device(run):
    with pytest.raises(ValueError, match='set model.data_preprocessor.views'):
        run('none',
            custom_hooks=[dict(type='KeepOnDeviceHook')],
            model=dict(data_preprocessor=dict(views=None)))


def test_one_line_makes_the_views_in_the_workers(tmp_path):
    path = tmp_path / 'child.py'
    path.write_text(f"_base_ = '{REPO / PRETRAIN}'\n"
                    'train_dataloader = dict(dataset=dict('
                    'pipeline=_base_.per_clip_pipeline))\n')
    pipeline = Config.fromfile(path).train_dataloader.dataset.pipeline
    assert pipeline[0].type == 'SkeletonMultiView'
    assert not pipeline[-1].get('ragged')


def test_views_of_the_workers_train_too(run):
    pipeline = Config.fromfile(REPO / PRETRAIN).per_clip_pipeline
    views, _ = run(
        'workers', train_dataloader=dict(dataset=dict(pipeline=pipeline)))
    assert len(views) == 6 and views[0][3].shape == (4, 2, 64, 25, 3)


def page_variant(heading, path):
    """Write the config below a heading of the page, on this checkout."""
    page = (REPO / 'configs/variants.md').read_text()
    section = page.partition(f'{heading}\n')[2]
    code = section.partition('```python\n')[2].partition('```')[0]
    path.write_text(code.replace('umurl_mmaction::', f'{REPO}/configs/'))
    return Config.fromfile(path)


@pytest.mark.parametrize('place', ['device', 'workers', 'restarted workers'])
def test_the_modalities_are_one_setting(run, tmp_path, place):
    """As the page shows it, wherever the views are made."""
    cfg = page_variant('## Some of the modalities', tmp_path / 'child.py')
    changes = dict(model=cfg.model)
    changes['model'].backbone.update(embed_dims=16, clip_len=8)
    changes['model'].neck.update(in_channels=32, out_channels=64)
    if place != 'device':
        changes['train_dataloader'] = dict(
            dataset=dict(pipeline=cfg.per_clip_pipeline))
    if place == 'restarted workers':
        # This loop starts its workers before any hook is called.
        changes['train_cfg'] = dict(
            _delete_=True, type='PassesTrainLoop', max_iters=6)
        changes['train_dataloader'].update(num_workers=1)
        changes['param_scheduler'] = []
        changes['default_hooks.checkpoint.by_epoch'] = False
    views, weights = run('two', **changes)
    assert len(views) == 6
    for batch in views:
        assert [view.shape for view in batch] == [(4, 2, 8, 25, 3)] * 3
    projectors = {key.split('.')[1] for key in weights if 'neck' in key}
    assert projectors == {'joint', 'bone'}


def test_another_number_of_views_is_refused_before_the_first_step(run):
    pipeline = Config.fromfile(REPO / PRETRAIN).per_clip_pipeline
    pipeline[0].num_views = 3
    with pytest.raises(ValueError, match=r'num_views=\[3\] of SkeletonMultiV.*'
                       'takes 4: one for each of model.backbone.modalities'):
        run('three', train_dataloader=dict(dataset=dict(pipeline=pipeline)))


def test_mixed_precision_takes_the_fast_type(run, monkeypatch):
    from umurl_mmaction.engine.optim import amp_optim_wrapper
    used = []
    monkeypatch.setattr(amp_optim_wrapper, 'fast_dtype',
                        lambda device: used.append(device) or 'bfloat16')
    run('amp', optim_wrapper=dict(type='AmpOptimWrapper'))
    assert used == ['cpu']


def test_compile_of_mmengine_compiles_once(run):
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        run('compiled', watch=False, compile=dict(backend='eager'))
    torch._dynamo.reset()


@pytest.mark.parametrize('pipeline, named', [
    ([dict(type='SkeletonPreNormalize'),
      dict(type='PackSkeletonInputs', ragged=True)], 'SkeletonPreNormalize'),
    ([dict(type='PackSkeletonInputs')], 'PackSkeletonInputs'),
])
def test_keeping_drops_no_transform(run, pipeline, named):
    with pytest.raises(
            ValueError,
            match=f'ragged=True alone, got also .*{named}.*: put transforms'):
        run('more',
            custom_hooks=[dict(type='KeepOnDeviceHook')],
            train_dataloader=dict(dataset=dict(pipeline=pipeline)))


def test_keeping_wants_the_set_itself(run):
    data = Config.fromfile(REPO / PRETRAIN).train_dataloader.dataset
    with pytest.raises(ValueError, match='SkeletonDataset .*got RepeatData'):
        run('repeated',
            custom_hooks=[dict(type='KeepOnDeviceHook')],
            val_dataloader=None, val_cfg=None, val_evaluator=None,
            train_dataloader=dict(dataset=dict(
                _delete_=True, type='RepeatDataset', times=2, dataset=dict(
                    data, ann_file=run.ann_file))))
