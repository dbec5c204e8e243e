"""A row for each kind of bad input in tools/data/README.md.

What is told, and that nothing is trained or changed before it is.
"""
import re

import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO, make_annotations
from mmengine.config import Config
from mmengine.runner import Runner

from umurl_mmaction.datasets import SkeletonDataset
from umurl_mmaction.fileio.checkpoints import load_checkpoint

CONFIGS = REPO / 'configs' / 'umurl'
PRETRAIN = 'pretrain/umurl_1xb64_synthetic.py'
LINEAR = 'linear/umurl-linear_synthetic.py'
KNN = 'knn/umurl-knn_synthetic.py'


def small(config, folder, ann_file):
    cfg = Config.fromfile(CONFIGS / config)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if name in cfg:
            cfg[name].update(
                batch_size=4, num_workers=0, persistent_workers=False)
            cfg[name].dataset.ann_file = ann_file
    if 'gallery' in cfg.model:
        cfg.model.gallery.update(batch_size=4, num_workers=0)
        cfg.model.gallery.dataset.ann_file = ann_file
    cfg.model.backbone.embed_dims = 16
    if 'neck' in cfg.model:
        cfg.model.neck.update(in_channels=32, out_channels=64)
    if 'cls_head' in cfg.model:
        cfg.model.cls_head.in_channels = 32
    if 'train_cfg' in cfg:
        cfg.train_cfg.max_epochs = 1
    cfg.update(
        load_from=None,
        work_dir=str(folder / 'work'),
        experiment_name=f'{folder.name}-{config[:3]}')
    return cfg


@pytest.fixture
def start(tmp_path):
    """Run a config on annotations that were tampered with."""

    def run(tamper=None, config=PRETRAIN, change=None):
        data = make_annotations()
        clip = data['annotations'][3]
        if tamper:
            tamper(clip, data)
        ann_file = tmp_path / 'set.pkl'
        mmengine.dump(data, str(ann_file))
        cfg = small(config, tmp_path, str(ann_file))
        if change:
            change(cfg)
        before = ann_file.read_bytes()
        try:
            runner = Runner.from_cfg(cfg)
            return runner.train() if 'train_cfg' in cfg else runner.test()
        finally:
            assert ann_file.read_bytes() == before

    run.folder = tmp_path
    return run


def refused(start, wanted, *args, **kwargs):
    with pytest.raises((ValueError, TypeError, KeyError)) as error:
        start(*args, **kwargs)
    message = str(error.value)
    assert re.search(wanted, message), message
    assert not list((start.folder / 'work').rglob('*.pth'))
    return message


def keypoint(change):

    def tamper(clip, data):
        clip['keypoint'] = change(clip['keypoint'])
        clip['total_frames'] = clip['keypoint'].shape[1]

    return tamper


def poison(value):

    def change(x):
        x = x.copy()
        x[0, 5, 7, 1] = value
        return x

    return keypoint(change)


def put(key, value):

    def tamper(clip, data):
        clip[key] = value

    return tamper


def rename(clip, data):
    data['annotations'][4]['frame_dir'] = clip['frame_dir']


def two_coordinates(clip, data):
    for x in data['annotations']:
        x['keypoint'] = x['keypoint'][..., :2]


# Why it is bad -> what tampers, and the line that names it.
CLIPS = {
    'joint count': (keypoint(lambda x: x[:, :, :17]),
                    'keypoint of clip003 .*17, 3.*25'),
    'coordinate count': (two_coordinates,
                         r"clip 'clip000' has keypoint \(1, \d+, 25, 2\), the "
                         r'encoder wants \(M, T, 25, 3\)'),
    'C and V swapped': (keypoint(lambda x: x.swapaxes(2, 3)),
                        'keypoint of clip003 .*3, 25.*25'),
    'dimensions': (keypoint(lambda x: x[0]),
                   r"clip 'clip003' of .* has keypoint .*\(M, T, V, C\)"),
    'complex numbers': (keypoint(lambda x: x.astype(complex)),
                        "clip 'clip003' of .*complex128.*real numbers"),
    'NaN': (poison(np.nan), "'clip003' of .* not finite at body 0, frame 5, "
            "joint 7; with nonfinite='missing'"),
    'infinity': (poison(np.inf), "'clip003' .* not finite at body 0, frame 5"),
    'beyond any unit': (poison(1e30), "'clip003' .* has the coordinate .*"
                        ' at body 0, frame 5, joint 7, after prepare; wanted '
                        'is at most 65504'),
    'no frame': (keypoint(lambda x: x[:, :0]), "clip 'clip003' .*no frame"),
    'no body': (keypoint(lambda x: x[:0]), "clip 'clip003' of .* has no body"),
    'total_frames': (put('total_frames', 7),
                     "clip 'clip003' .* has total_frames=7, but its keypoint"),
    'duplicate frame_dir': (rename, "clip 'clip003' is twice in"),
    'negative label': (put('label', -1), "clip 'clip003' .* has label -1, "
                       'wanted is an integer from 0'),
    'label that is no number': (put('label', 'wave'),
                                "clip 'clip003' .* label 'wave'"),
}


@pytest.mark.parametrize('name', CLIPS)
def test_clips_are_named_before_training(start, name):
    tamper, wanted = CLIPS[name]
    assert '\n' not in refused(start, wanted, tamper)


def of_clip(tamper, index):
    """The same of another clip; those from 12 on are in 'val'."""
    return lambda clip, data: tamper(data['annotations'][index], data)


@pytest.mark.parametrize('config, index', [(PRETRAIN, 14), (LINEAR, 3),
                                           (LINEAR, 14), (KNN, 3), (KNN, 14)])
def test_coordinates_beyond_any_unit_in_every_run(start, config, index):
    message = refused(start, f"clip 'clip{index:03d}' .* has the coordinate ",
                      of_clip(poison(1e30), index), config)
    assert '\n' not in message


def every_epoch(cfg):
    cfg.custom_hooks = []


def no_baseline(cfg):
    cfg.train_cfg.val_interval = 1
    cfg.custom_hooks = []


@pytest.mark.parametrize('config, index, change, error', [
    (PRETRAIN, 3, None, ValueError),
    (PRETRAIN, 14, no_baseline, ValueError),
    (LINEAR, 3, None, ValueError),
    (LINEAR, 3, every_epoch, FloatingPointError),
    (LINEAR, 14, every_epoch, ValueError),
    (KNN, 3, None, ValueError),
    (KNN, 14, None, ValueError),
])
def test_features_that_are_not_finite_name_the_clip(start, monkeypatch, config,
                                                    index, change, error):
    """Whatever made them: here, coordinates that nobody has checked."""
    monkeypatch.setattr('umurl_mmaction.datasets.skeleton_dataset.check_range',
                        lambda *args: None)
    with pytest.raises(error) as info:
        start(of_clip(poison(1e30), index), config, change)
    assert f"the feature of clip 'clip{index:03d}' is not" in str(info.value)


def test_coordinates_that_are_not_finite_are_told_from_weights(
        start, monkeypatch):
    """In a pre-training, whose first step spoils all weights."""
    get = SkeletonDataset.get_data_info

    def spoil(self, index):
        info = get(self, index)
        if info['frame_dir'] == 'clip003':
            info['keypoint'][0, 1, 2] = np.inf
        return info

    monkeypatch.setattr(SkeletonDataset, 'get_data_info', spoil)
    with pytest.raises(FloatingPointError, match="for the coordinates of clip "
                       r"'clip003' are not \(1 of \d+ clips\)"):
        start(config=PRETRAIN, change=lambda cfg: cfg.update(
            val_cfg=None, val_dataloader=None, val_evaluator=None,
            custom_hooks=[]))


@pytest.mark.parametrize('config', [LINEAR, KNN])
def test_weights_that_are_not_finite_are_told_from_clips(start, config):
    start()
    (start.folder / 'work').rename(start.folder / 'first')
    checkpoint = load_checkpoint(start.folder / 'first' / 'epoch_1.pth')
    for weight in checkpoint['state_dict'].values():
        if weight.is_floating_point():
            weight.fill_(np.nan)
    torch.save(checkpoint, start.folder / 'nan.pth')
    refused(start, r'not finite \(12 of 12 clips\): the weights are',
            config=config,
            change=lambda cfg: cfg.update(
                load_from=str(start.folder / 'nan.pth')))


def test_resuming_without_an_optimizer(start):
    start()
    good = start.folder / 'work' / 'epoch_1.pth'
    checkpoint = load_checkpoint(good)
    del checkpoint['optimizer']
    bare = start.folder / 'work' / 'bare.pth'
    torch.save(checkpoint, bare)

    def change(cfg):
        cfg.update(resume=True, load_from=str(bare))
        cfg.train_cfg.max_epochs = 2

    with pytest.raises(ValueError) as error:
        start(change=change)
    assert str(error.value) == (
        f"cannot resume: '{bare}' holds no state of an optimizer; the newest "
        f"good checkpoint is '{good}'; to start anew from its weights, set "
        'load_from without --resume')


@pytest.mark.parametrize('config', [LINEAR, KNN])
def test_missing_labels_where_they_are_needed(start, config):

    def tamper(clip, data):
        del clip['label']

    assert '\n' not in refused(start, "clip 'clip003' .*has no label", tamper,
                               config)
    start(tamper, PRETRAIN)


def test_queries_without_a_label(start):

    def tamper(clip, data):
        del data['annotations'][14]['label']

    refused(start, "clip 'clip014' has no label", tamper, KNN)


def test_label_beyond_the_classes(start):
    refused(start, "'clip003' has label 14, but the classifier has "
            'num_classes=14: labels 0 to 13', put('label', 14), LINEAR)


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', 'i4'])
def test_any_real_dtype_is_taken(start, dtype):

    def tamper(clip, data):
        for x in data['annotations']:
            x['keypoint'] = (10 * x['keypoint']).astype(dtype)

    start(tamper)
    assert (start.folder / 'work/epoch_1.pth').exists()


def test_more_bodies_than_num_person_are_left_out_and_counted(start, capfd):
    start(keypoint(lambda x: np.concatenate([x, x, x])))
    out = ''.join(capfd.readouterr())
    lines = [x for x in out.splitlines() if 'have more than' in x]
    assert len(lines) == 1
    assert re.search(r"1 of 12 clips .* num_person=2 bodies, such as "
                     r"'clip003': the first 2 are used", lines[0])


def test_a_split_that_is_not_there_lists_those_that_are(start):

    def change(cfg):
        cfg.train_dataloader.dataset.split = 'xsub'

    message = refused(
        start, r"no split 'xsub', only \['train', 'val'\]", change=change)
    assert '\n' not in message


@pytest.mark.parametrize('setting, wanted', [
    ({'model.backbone.modalities': ('joint', 'angle')},
     "unknown modality 'angle'; known are"),
    ({'model.backbone.graph_cfg.layout': 'kinect'},
     "unknown layout 'kinect'; known are"),
    ({'model.backbone.embed_dim': 7}, "argument 'embed_dim'"),
    ({'model.data_preprocessor.view': 7}, "argument 'view'"),
    ({'train_dataloader.dataset.spilt': 'train'}, "argument 'spilt'"),
    ({'default_hooks.collapse_monitor.intervall': 7},
     "argument 'intervall'"),
])
def test_settings_that_do_not_exist(start, setting, wanted):
    refused(start, wanted, change=lambda cfg: cfg.merge_from_dict(setting))


def test_batches_of_one_sample(start):

    def change(cfg):
        cfg.train_dataloader.batch_size = 1

    message = refused(
        start, 'batch_size=1 gives batches of one clip', change=change)
    assert '\n' not in message


@pytest.mark.parametrize('batch_size, steps', [(11, 1), (5, 3), (4, 3)])
def test_a_last_batch_is_kept_unless_it_is_one_sample(start, capfd,
                                                      batch_size, steps):

    def change(cfg):
        cfg.train_dataloader.batch_size = batch_size

    start(change=change)
    checkpoint = load_checkpoint(start.folder / 'work/epoch_1.pth')
    assert checkpoint['meta']['iter'] == steps
    out = ''.join(capfd.readouterr())
    assert out.count('would be a single clip') == (batch_size == 11)


def test_clip_len_of_another_checkpoint(start):
    start()
    (start.folder / 'work').rename(start.folder / 'first')

    def change(cfg):
        cfg.load_from = str(start.folder / 'first/epoch_1.pth')
        cfg.model.backbone.clip_len = 32

    refused(start, r'embeddings.*clip_len', config=KNN, change=change)


def test_a_checkpoint_that_is_cut_off(start):
    torch.save(dict(state_dict={}), start.folder / 'cut.pth')
    whole = (start.folder / 'cut.pth').read_bytes()
    (start.folder / 'cut.pth').write_bytes(whole[:len(whole) // 2])

    def change(cfg):
        cfg.load_from = str(start.folder / 'cut.pth')

    with pytest.raises(Exception, match=r'cut\.pth') as error:
        start(config=KNN, change=change)
    assert '\n' not in str(error.value)
