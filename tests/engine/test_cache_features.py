from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from umurl_mmaction.fileio.checkpoints import load_checkpoint

CONFIG = 'umurl/linear/umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py'


@pytest.fixture
def train(ann_file, tmp_path):
    """Run the linear configuration on the small set; the runner."""
    from conftest import REPO

    def run(name, epochs=3, cached=True, change=None, **settings):
        cfg = Config.fromfile(REPO / 'configs' / CONFIG)
        for loader, split in (('train', 'train'), ('val', 'val')):
            cfg[f'{loader}_dataloader'].update(
                batch_size=5, num_workers=0, persistent_workers=False)
            cfg[f'{loader}_dataloader'].dataset.update(
                ann_file=ann_file, split=split)
        cfg.model.backbone.embed_dims = 16
        cfg.model.cls_head.update(in_channels=32, num_classes=3)
        cfg.train_cfg.update(max_epochs=epochs, val_interval=1)
        cfg.update(
            work_dir=str(tmp_path / name),
            load_from=None,
            experiment_name=f'{tmp_path.name}-{name}',
            randomness=dict(seed=0),
            **settings)
        assert cfg.custom_hooks == [dict(type='CacheFeaturesHook')]
        if not cached:
            cfg.custom_hooks = []
        if change:
            change(cfg)
        runner = Runner.from_cfg(cfg)
        passes = []
        encoder = runner.model.backbone.encoder['temporal']
        encoder.register_forward_hook(
            lambda module, inputs, output: passes.append(len(output)))
        runner.train()
        runner.num_encoded = sum(passes)
        return runner

    return run


def test_same_classifier_from_fewer_passes(train):
    cached, plain = train('cached'), train('plain', cached=False)
    assert cached.num_encoded == 12 + 6
    assert plain.num_encoded == 3 * (12 + 6)
    torch.testing.assert_close(
        cached.model.state_dict(),
        plain.model.state_dict(),
        rtol=1e-4,
        atol=1e-6)
    x = torch.randn(4, 1, 2, 64, 25, 3)
    with torch.no_grad():
        logits = [
            runner.model.eval().cls_head(runner.model.extract_feat(x)[0])
            for runner in (cached, plain)
        ]
    torch.testing.assert_close(*logits, rtol=0, atol=1e-4)
    for metric in ('acc/top1', 'acc/top5', 'acc/mean1'):
        a, b = (
            runner.message_hub.get_scalar(f'val/{metric}').data[0]
            for runner in (cached, plain))
        assert list(a) == list(b), metric
    # Checkpoints say of the data what the clips say.
    metas = [
        load_checkpoint(next(Path(runner.work_dir).glob('epoch_3.pth')))[
            'meta']['dataset_meta'] for runner in (cached, plain)
    ]
    assert metas[0] == metas[1] and metas[0]['num_classes'] == 3
    # Afterwards the loops see clips again.
    assert cached.val_loop.run() == plain.val_loop.run()


def test_resumed_run_ends_as_an_uninterrupted_one(train):
    whole = train('whole', epochs=4)

    def every_epoch(cfg):
        cfg.default_hooks.checkpoint.interval = 1

    train('parts', epochs=2, change=every_epoch)
    resumed = train('parts', epochs=4, resume=True)
    assert resumed.epoch == 4 and resumed.iter == whole.iter
    torch.testing.assert_close(resumed.model.state_dict(),
                               whole.model.state_dict())


def test_a_trained_encoder_is_refused(train):

    def thaw(cfg):
        cfg.model.backbone.frozen = False

    with pytest.raises(ValueError, match='wants a frozen encoder'):
        train('thawed', change=thaw)


def test_a_random_pipeline_is_refused(train):

    def shake(cfg):
        cfg.train_dataloader.dataset.pipeline.insert(
            1, dict(type='PoseShear'))

    with pytest.raises(ValueError, match='wants a deterministic pipeline'):
        train('random', change=shake)


@pytest.mark.parametrize('step', [
    dict(type='RandomApply', prob=0.5, transforms=[dict(type='PoseShear')]),
    # Clips of up to 64 frames stay whole.
    dict(type='TemporalCropResize', ratio=(0.5, 1.0)),
])
def test_a_pipeline_is_random_that_spares_some_clips(train, step):

    def shake(cfg):
        cfg.train_dataloader.dataset.pipeline.insert(0, step)

    with pytest.raises(ValueError, match='wants a deterministic pipeline'):
        train('sometimes', change=shake)
