import re
from types import SimpleNamespace

import mmengine
import pytest
from conftest import REPO, make_annotations
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_models import LINEAR, PRETRAIN, tiny_config

from umurl_mmaction.engine.hooks.check_data_hook import CheckDataHook
from umurl_mmaction.skeleton import LAYOUTS


@pytest.fixture
def train(tmp_path):
    """Train a configuration on annotations that were tampered with."""

    def run(config, tamper, batch_size=4, change=None):
        data = make_annotations()
        tamper(data)
        ann_file = str(tmp_path / 'tiny.pkl')
        mmengine.dump(data, ann_file)
        cfg = Config.fromfile(REPO / 'configs' / 'umurl' / config)
        for loader in ('train_dataloader', 'val_dataloader'):
            if loader in cfg:
                cfg[loader].update(
                    batch_size=batch_size,
                    num_workers=0,
                    persistent_workers=False)
                cfg[loader].dataset.ann_file = ann_file
        cfg.model.backbone.embed_dims = 16
        cfg.merge_from_dict({
            f'model.{name}.in_channels': 32
            for name in ('neck', 'cls_head') if name in cfg.model
        })
        cfg.train_cfg.max_epochs = 1
        if change:
            change(cfg)
        cfg.update(
            work_dir=str(tmp_path / 'work'),
            load_from=None,
            experiment_name=tmp_path.name)
        Runner.from_cfg(cfg).train()

    run.folder = tmp_path / 'work'
    return run


def refused(train, message, *args, **kwargs):
    with pytest.raises(ValueError, match=message) as error:
        train(*args, **kwargs)
    assert '\n' not in str(error.value)
    assert not list(train.folder.glob('*.pth'))


def test_too_few_clips_for_a_batch(train):
    refused(
        train,
        '12 clips do not fill a batch of 13',
        PRETRAIN,
        lambda data: None,
        batch_size=13,
        change=lambda cfg: cfg.train_dataloader.update(drop_last=True))


def test_an_endless_sampler_fills_any_batch(train):

    def by_steps(cfg):
        cfg.train_dataloader.sampler = dict(type='InfiniteSampler')
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
        cfg.param_scheduler[0].by_epoch = False
        cfg.default_hooks.checkpoint.by_epoch = False

    train(PRETRAIN, lambda data: None, batch_size=13, change=by_steps)
    assert (train.folder / 'iter_2.pth').exists()


@pytest.mark.parametrize('index, label', [(2, 14), (13, 20)])
def test_label_beyond_the_classes(train, index, label):

    def tamper(data):
        data['annotations'][index]['label'] = label

    refused(train, f"'clip0{index:02d}' has label {label}, but .*"
            'num_classes=14: labels 0 to 13', LINEAR, tamper)


@pytest.mark.parametrize('classes, num_classes, says', [
    (None, 60, 'WARNING - The classifier has num_classes=60, but .* has only '
     '3 classes: set model.cls_head.num_classes=3\n'),
    (list('abcd'), 4, None),
])
def test_more_classes_than_the_data_have_are_said(train, classes, num_classes,
                                                  says):

    def name_classes(data):
        if classes:
            data['classes'] = classes

    train(LINEAR, name_classes, change=lambda cfg: cfg.merge_from_dict(
        {'model.cls_head.num_classes': num_classes}))
    log, = train.folder.glob('*/*.log')
    found = re.findall('.*The classifier has.*\n', log.read_text())
    assert len(found) == bool(says)
    assert not says or re.search(says, found[0])


@pytest.mark.parametrize('parents, in_channels, message', [
    (LAYOUTS['nturgb+d'].parents, 32, None),
    (LAYOUTS['nturgb+d'].parents, 16, 'cls_head.in_channels=16 must be 32'),
    ([-1] + 24 * [0], 32, "'nturgb.d' with other parents"),
])
def test_a_test_set_is_checked_as_well(tmp_path, parents, in_channels,
                                       message):
    skeleton = dict(joints=LAYOUTS['nturgb+d'].joints, parents=parents)
    path = str(tmp_path / 'tiny.pkl')
    mmengine.dump(dict(make_annotations(), skeleton=skeleton), path)
    cfg = tiny_config(path, LINEAR)
    cfg.model.cls_head.in_channels = in_channels
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    runner = SimpleNamespace(
        model=MODELS.build(cfg.model),
        test_loop=SimpleNamespace(
            dataloader=SimpleNamespace(dataset=dataset),
            evaluator=SimpleNamespace(metrics=[])))
    if message is None:
        CheckDataHook().before_test(runner)
        return
    with pytest.raises(ValueError, match=message):
        CheckDataHook().before_test(runner)


def test_a_classifier_wants_labels_and_pretraining_none(train):

    def tamper(data):
        del data['annotations'][1]['label']

    refused(train, "'clip001' has no label", LINEAR, tamper)
    train(PRETRAIN, tamper)


def test_nan_is_named(train):

    def tamper(data):
        data['annotations'][5]['keypoint'][0, 7, 3, 1] = float('nan')

    refused(train, "'clip005' of .* is not finite at body 0, frame 7, joint 3",
            PRETRAIN, tamper)


@pytest.mark.parametrize('count, interval, says', [
    (1, None, []),
    (3, None, ['optim_wrapper.accumulative_counts=3: the terms compare the 4 '
               'clips of a batch, which no accumulation makes more']),
    (3, 1, ['optim_wrapper.accumulative_counts=3: .*',
            'model.update_interval=1, but the weights change every 3 '
            'batches: set model.update_interval=3']),
    (3, 3, ['optim_wrapper.accumulative_counts=3: .*']),
])
def test_accumulated_gradients_are_warned_of(train, count, interval, says):

    def change(cfg):
        cfg.optim_wrapper.accumulative_counts = count
        if interval:
            srcl = REPO / 'configs/srcl/srcl_1xb64-3k_synthetic.py'
            model = Config.fromfile(srcl).model
            model.update(
                backbone=cfg.model.backbone,
                data_preprocessor=cfg.model.data_preprocessor,
                update_interval=interval)
            model.heads.relation.queue_size = 8
            cfg.model = model

    train(PRETRAIN, lambda data: None, change=change)
    log, = train.folder.glob('*/*.log')
    found = re.findall('WARNING - (optim_wrapper.accum.*|model.update.*)',
                       log.read_text())
    assert len(found) == len(says)
    assert all(map(re.fullmatch, says, found))
