"""Raw clip, normalised clip and views, wherever a config has the steps."""
import copy

import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO, make_annotations
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config

from umurl_mmaction.models import UmURLBackbone
from umurl_mmaction.skeleton.layout import build_layout
from umurl_mmaction.skeleton.temporal import crop_resize
from umurl_mmaction.visualization.stages import (
    StageSource,
    clip_labels,
    find_layout,
    find_steps,
)

CONFIGS = REPO / 'configs' / 'umurl'


@pytest.fixture
def cfg(ann_file):
    cfg = Config.fromfile(CONFIGS / 'pretrain' / 'umurl_1xb64_synthetic.py')
    cfg.train_dataloader.dataset.ann_file = ann_file
    return cfg


def in_the_pipeline(cfg):
    """Normalised and augmented clip by clip, at each access."""
    cfg = copy.deepcopy(cfg)
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = [*dataset.pop('prepare'), *cfg.per_clip_pipeline]
    return cfg


def seed(number):
    np.random.seed(number)
    torch.manual_seed(number)


@pytest.mark.parametrize('place', [copy.deepcopy, in_the_pipeline])
def test_stages_are_those_of_the_pipeline(cfg, ann_file, place):
    source = StageSource(place(cfg))
    clip = mmengine.load(ann_file)['annotations'][1]
    seed(3)
    stages = source[1]
    np.testing.assert_array_equal(stages.raw, clip['keypoint'])
    normalize, = cfg.train_dataloader.dataset.prepare
    results = TRANSFORMS.build(normalize)(dict(clip))
    np.testing.assert_array_equal(stages.normalized, results['keypoint'])
    seed(3)
    views = TRANSFORMS.build(cfg.model.data_preprocessor.views)
    views.fit(4, 64)
    wanted = views(results)['views']
    assert len(stages.views) == len(wanted) == 4
    for got, want in zip(stages.views, wanted):
        np.testing.assert_array_equal(got, want)
    assert source.names == ['joint', 'bone', 'motion', 'all']
    assert source.layout.name == 'nturgb+d'


def test_notes_say_what_was_done(cfg):
    source = StageSource(cfg)
    seed(0)
    seen = set()
    for _ in range(4):
        stages = source[1]
        total = stages.normalized.shape[1]
        for view, note in zip(stages.views, stages.notes):
            crop, change = note.splitlines()
            first, last = map(int, crop[7:].split(' of ')[0].split(' to '))
            assert 1 <= first <= last <= total
            assert crop.endswith(f' of {total}')
            zero = (view == 0).all(axis=(0, 1, 3))
            if change == '15 of 25 joints set to 0':
                assert zero.sum() == 15
                crop = crop_resize(
                    torch.from_numpy(stages.normalized), first - 1,
                    last - first + 1, 64).numpy()
                np.testing.assert_array_equal(view[:, :, ~zero],
                                              crop[:, :, ~zero])
            else:
                assert change in ('15 of 25 joints distorted', 'sheared')
                assert not zero.any()
            seen.add(change)
    assert len(seen) == 3


def test_a_config_without_views_has_none(ann_file):
    cfg = Config.fromfile(CONFIGS / 'knn' / 'umurl-knn_synthetic.py')
    cfg.test_dataloader.dataset.ann_file = ann_file
    source = StageSource(cfg, 'test_dataloader')
    stages = source[0]
    assert stages.views == stages.notes == []
    # Before it is resized in time.
    assert stages.normalized.shape == stages.raw.shape


def test_a_transform_that_writes_into_its_input_leaves_the_raw_clip(tmp_path):
    path = str(tmp_path / 'tiny2d.pkl')
    data = make_annotations(num_joints=17, coords=2)
    for clip in data['annotations']:
        clip['keypoint_score'] = np.ones(clip['keypoint'].shape[:-1])
    data['split']['xsub_train'] = data['split']['train']
    mmengine.dump(data, path)
    cfg = Config.fromfile(CONFIGS / 'pretrain' / (
        'umurl_4xb128-451e_ntu60-xsub-keypoint-2d.py'))
    cfg.train_dataloader.dataset.ann_file = path
    source = StageSource(cfg)
    assert source.layout.name == 'coco' and not source.centered
    stages = source[0]
    np.testing.assert_array_equal(stages.raw,
                                  data['annotations'][0]['keypoint'])
    np.testing.assert_allclose(
        stages.normalized[..., 0], stages.raw[..., 0] / 960 - 1, rtol=1e-5)
    # The score is no coordinate to draw.
    cfg.train_dataloader.dataset.prepare[0].with_score = True
    again = StageSource(cfg)[0]
    np.testing.assert_array_equal(again.normalized, stages.normalized)
    assert {view.shape[-1] for view in again.views} == {2}


def test_wrapped_and_stock_datasets(cfg, ann_file):
    dataset = cfg.train_dataloader.dataset
    wanted = StageSource(cfg).labels
    dataset.type = 'PoseDataset'
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=3, dataset=dataset)
    source = StageSource(cfg)
    assert not hasattr(source.dataset, 'labels')
    assert clip_labels(source.dataset) == source.labels == wanted


def test_picked_clips(cfg):
    source = StageSource(cfg)
    assert source.pick(['clip003', '0'], seed=0) == [3, 0]
    drawn = source.pick([], seed=1)
    assert len(set(drawn)) == 3
    assert drawn == source.pick([], seed=1) == sorted(drawn)
    assert len({tuple(source.pick([], seed=s)) for s in range(5)}) > 1
    with pytest.raises(ValueError, match="no clip '12': .* from 0 to 11"):
        source.pick(['12'], seed=0)


def test_clips_of_another_layout_are_refused(cfg):
    cfg.model.backbone.graph_cfg = dict(layout='coco')
    with pytest.raises(ValueError, match="clip 'clip000' .*wants 17 joints"):
        StageSource(cfg)[0]


def test_what_a_config_does_not_have(cfg):
    with pytest.raises(ValueError, match="no 'test_dataloader', only .'train"):
        find_steps(cfg, 'test_dataloader')


def test_the_layout_is_the_encoders_else_the_datas(cfg):

    class Dataset:
        layout = build_layout('openpose')

    cfg.model.backbone.graph_cfg = dict(layout='coco')
    assert find_layout(cfg, Dataset).name == 'coco'
    del cfg.model.backbone['graph_cfg']
    assert find_layout(cfg, Dataset).name == 'openpose'
    assert find_layout(cfg, object()).name == 'nturgb+d'


@pytest.mark.parametrize('name, names', [
    ('umurl/pretrain/umurl-stgcnpp_1xb64_synthetic.py',
     ['joint', 'bone', 'motion', 'all']),
    ('umurl/pretrain/umurl-dste_1xb64_synthetic.py',
     ['joint', 'bone', 'motion', 'all']),
    ('skeletal_twins/skeletal-twins_1xb64-3k_synthetic.py', ['twin', 'all']),
    # An online network and its target do not say what each view is for.
    ('hico/hico_1xb64-3k_synthetic.py', None),
    ('srcl/srcl_1xb64-3k_synthetic.py', None),
])
def test_views_of_every_method_and_encoder(ann_file, name, names):
    cfg = Config.fromfile(REPO / 'configs' / name)
    cfg.train_dataloader.dataset.ann_file = ann_file
    source = StageSource(cfg)
    assert source.names == (names or [])
    views = source[0].views
    assert len(views) == len(names or 'ab')
    assert {view.shape[1] for view in views} == {64}


def test_views_of_an_encoder_of_the_users_own(cfg):

    class Own(UmURLBackbone):

        def __init__(self, **kwargs):
            # As many encoders draw up their rates.
            self.rates = [x.item() for x in torch.linspace(0, 0.1, 3)]
            super().__init__(**kwargs)

    MODELS.register_module('OwnEncoder', module=Own)
    try:
        cfg.model.backbone.type = 'OwnEncoder'
        assert len(StageSource(cfg)[0].views) == 4
    finally:
        del MODELS.module_dict['OwnEncoder']
