"""2D keypoints: as MMAction2 scales them, but missing ones stay missing."""
import mmengine
import numpy as np
import pytest
from conftest import REPO, make_annotations
from mmaction.datasets.transforms import PreNormalize2D
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.runner import Runner

from umurl_mmaction.apis import UmURLInferencer
from umurl_mmaction.datasets.transforms import SkeletonPreNormalize2D

CONFIGS = REPO / 'configs' / 'umurl'
PRETRAIN = 'pretrain/umurl_4xb128-451e_ntu60-xsub-keypoint-2d.py'
LINEAR = 'linear/umurl-linear_1xb512-150e_ntu60-xsub-keypoint-2d.py'


def make_clip(dtype=np.float32, height=1080, width=1920):
    rng = np.random.default_rng(0)
    clip = rng.uniform(1, (width, height), (2, 9, 17, 2)).astype(dtype)
    scores = rng.uniform(0.2, 1, clip.shape[:-1]).astype(dtype)
    return clip, scores


def stock(clip, **facts):
    return PreNormalize2D()(dict(keypoint=clip.copy(), **facts))['keypoint']


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
@pytest.mark.parametrize('facts', [{}, dict(img_shape=(719, 1281))])
def test_clean_clips_are_those_of_mmaction2_bit_for_bit(dtype, facts):
    clip, scores = make_clip(dtype, *facts.get('img_shape', (1080, 1920)))
    for more in ({}, dict(keypoint_score=scores)):
        got = SkeletonPreNormalize2D()(dict(keypoint=clip, **facts, **more))
        want = stock(clip, **facts)
        assert got['keypoint'].dtype == want.dtype == dtype
        assert got['keypoint'].tobytes() == want.tobytes()
        assert 'keypoint_score' not in got


@pytest.mark.parametrize(
    'how', ['zeros', 'nan', 'infinity', 'score', 'third coordinate'])
def test_missing_joints_are_zeros_and_the_others_as_before(how):
    clip, scores = make_clip()
    want = stock(clip)
    scores[:] = 0.3
    missing = np.random.default_rng(1).random(clip.shape[:-1]) < 0.2
    want[missing] = 0
    if how == 'zeros':
        clip[missing] = 0
    elif how == 'nan':
        clip[missing] = np.nan
    elif how == 'infinity':
        clip[missing, 1] = np.inf
    else:
        scores[missing] = 0
    results = dict(keypoint=clip, keypoint_score=scores)
    if how == 'third coordinate':
        results = dict(keypoint=np.concatenate([clip, scores[..., None]], -1))
    before = clip.copy()
    got = SkeletonPreNormalize2D()(dict(results))['keypoint']
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(clip, before)
    # As a third coordinate.
    got = SkeletonPreNormalize2D(with_score=True)(dict(results))['keypoint']
    np.testing.assert_array_equal(got[..., :2], want)
    np.testing.assert_array_equal(got[..., 2],
                                  np.where(missing, 0, np.float32(0.3)))


def test_the_threshold_masks_joints_of_low_score():
    clip, scores = make_clip()
    low = scores <= 0.5
    assert 0 < low.sum() < low.size
    want = stock(clip)
    results = dict(keypoint=clip, keypoint_score=scores)
    keep = SkeletonPreNormalize2D(score_thr=-1)
    np.testing.assert_array_equal(
        keep(dict(results, keypoint_score=0 * scores))['keypoint'], want)
    want[low] = 0
    mask = SkeletonPreNormalize2D(score_thr=0.5)
    np.testing.assert_array_equal(mask(dict(results))['keypoint'], want)


def by_body(clip, scores=None, **settings):
    more = {} if scores is None else dict(keypoint_score=scores)
    transform = SkeletonPreNormalize2D(scale_by='body', **settings)
    return transform(dict(keypoint=clip, **more))['keypoint']


def test_by_the_body_neither_image_nor_distance_counts():
    clip, _ = make_clip()
    got = by_body(clip)
    np.testing.assert_allclose(
        by_body(0.3 * clip + np.float32([50, 7])), got, atol=1e-5)
    np.testing.assert_allclose(got.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(
        np.ptp(got[..., 1], axis=2).mean(), 1, atol=1e-5)


@pytest.mark.parametrize('dtype', [np.float16, np.float32])
def test_by_the_body_what_is_missing_has_no_part(dtype):
    clip, scores = make_clip(dtype)
    scores[:, :, 3] = 0.1
    scores[1, 4:] = 0  # a body that has left
    other = clip.copy()
    other[:, :, 3] = 6e4
    other[1, 4:] = np.nan
    got = by_body(clip, scores, score_thr=0.15)
    assert got.dtype == dtype and not got[:, :, 3].any()
    np.testing.assert_array_equal(by_body(other, scores, score_thr=0.15), got)
    # Frames without any joint, and a clip without any, stay zero.
    assert not got[1, 4:].any() and not by_body(0 * clip).any()
    # One frame and one joint: the origin.
    alone = np.zeros((1, 1, 17, 2), dtype)
    alone[..., 2, :] = 5
    assert not by_body(alone).any()


@pytest.mark.parametrize('shape, more, settings, message', [
    ((2, 9, 17, 2), {}, dict(scale_by='bone'), "scale_by='bone' must be one"),
    ((1, 4, 17, 4), {}, {}, r'keypoint of a7 has shape \(1, 4, 17, 4\)'),
    ((1, 4, 17, 2), dict(keypoint_score=np.ones((1, 4, 16))), {},
     r'its keypoint_score \(1, 4, 16\); wanted is a score for each joint'),
    ((1, 4, 17, 2), {}, dict(with_score=True),
     'keypoint of a7 has no scores, which with_score=True needs'),
])
def test_what_does_not_fit_is_named(shape, more, settings, message):
    results = dict(keypoint=np.ones(shape, np.float32), frame_dir='a7', **more)
    with pytest.raises(ValueError, match=message) as error:
        SkeletonPreNormalize2D(**settings)(results)
    assert '\n' not in str(error.value)


# The shipped configs


@pytest.fixture
def config(tmp_path):
    """A shipped 2D config, narrow, on a small set with missing joints."""
    data = make_annotations(num_joints=17, coords=2)
    rng = np.random.default_rng(0)
    for clip in data['annotations']:
        shape = clip['keypoint'].shape
        clip['keypoint'] = rng.uniform(1, (1920, 1080), shape).astype('f')
        clip['keypoint'][:, 3, 5] = np.nan
        clip['keypoint'][:, 4, 0] = 0
        clip['keypoint_score'] = rng.uniform(0.2, 1, shape[:-1]).astype('f')
        clip['keypoint_score'][:, 5, 7] = 0
    data['split'] = {f'xsub_{x}': y for x, y in data['split'].items()}
    path = str(tmp_path / '2d.pkl')
    mmengine.dump(data, path)

    def load(name, **settings):
        cfg = Config.fromfile(CONFIGS / name)
        cfg.model.backbone.embed_dims = 16
        for loader in ('train_dataloader', 'val_dataloader'):
            cfg[loader].update(
                batch_size=4, num_workers=0, persistent_workers=False)
            cfg[loader].dataset.ann_file = path
        if 'cls_head' in cfg.model:
            cfg.model.cls_head.update(in_channels=32, num_classes=3)
            cfg.test_dataloader = cfg.val_dataloader
        else:
            cfg.model.neck.out_channels = 64
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
        cfg.optim_wrapper = dict(
            type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3))
        cfg.update(
            work_dir=str(tmp_path / 'work'),
            load_from=None,
            custom_hooks=[],
            experiment_name=tmp_path.name)
        cfg.merge_from_dict(settings)
        return cfg

    return load


def test_training_and_inference_treat_missing_joints_alike(config, tmp_path):
    cfg = config(LINEAR)
    Runner.from_cfg(cfg.copy()).train()
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    clip = dataset.get_data_info(1)['keypoint']
    assert np.abs(clip).max() <= 1
    for frame, joint in ((3, 5), (4, 0), (5, 7)):
        assert not clip[:, frame, joint].any()
        assert clip[:, frame, joint + 1].all()
    raw = mmengine.load(cfg.test_dataloader.dataset.ann_file)['annotations']
    inferencer = UmURLInferencer(
        cfg, tmp_path / 'work' / 'epoch_1.pth', device='cpu')
    annotation = next(
        x for x in raw if x['frame_dir'] == dataset.labels[1][0])
    prepared = inferencer.pipeline(
        dict(annotation, keypoint=np.nan_to_num(annotation['keypoint'])))
    np.testing.assert_array_equal(prepared['inputs'], dataset[1]['inputs'])
    assert inferencer(annotation)['scores'].shape == (1, 3)


def test_scores_are_a_third_coordinate_by_option(config):
    scores = {'train_dataloader.dataset.prepare.0.with_score': True}
    with pytest.raises(ValueError, match=r'has keypoint \(1, .*17, 3\), the '
                       r'encoder wants \(M, T, 17, 2\)'):
        Runner.from_cfg(config(PRETRAIN, **scores)).train()
    runner = Runner.from_cfg(
        config(PRETRAIN, **scores, **{'model.backbone.in_channels': 3}))
    runner.train()
    for loop in (runner.train_loop, runner.val_loop):
        dataset = loop.dataloader.dataset
        assert dataset.shapes[0][-1] == 3
        scores = dataset.get_data_info(0)['keypoint'][..., 2]
        assert scores.max() > 0.9 and not scores[:, 5, 7].any()
