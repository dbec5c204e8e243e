import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose

from umurl_mmaction.datasets import pack_collate
from umurl_mmaction.datasets.transforms import (
    GenSkeletonModalities,
    JointCorruption,
    PackSkeletonInputs,
    PoseRotation,
    PoseShear,
    SkeletonMultiView,
    SkeletonPreNormalize,
    SkeletonPreNormalize2D,
    TemporalCropResize,
    wrappers,
)
from umurl_mmaction.skeleton import LAYOUTS, pack_clips
from umurl_mmaction.skeleton.batch import RaggedClip, Streams
from umurl_mmaction.skeleton.clip_generator import ClipGenerator
from umurl_mmaction.skeleton.temporal import crop_resize

NTU = LAYOUTS['nturgb+d']
AUGMENT = [
    dict(type='TemporalCropResize'),
    dict(
        type='RandomChoice',
        transforms=[[dict(type='JointCorruption')], [dict(type='PoseShear')]])
]


def clip(num_frames=100, num_person=2, num_joints=25, coords=3):
    shape = (num_person, num_frames, num_joints, coords)
    return np.random.standard_normal(shape).astype(np.float32)


def within(count, total, probability):
    """Tell whether a binomial count lies within five deviations."""
    deviation = np.sqrt(total * probability * (1 - probability))
    return abs(count - total * probability) < 5 * deviation


def test_crop_is_drawn_as_the_paper_says():
    transform, num_frames, draws = TemporalCropResize(), 200, 20000
    crops = transform.draw_crops(torch.full((draws, ), num_frames))
    start, length = (x.numpy() for x in crops)
    assert length.min() == 64 and length.max() == 199
    # With s ~ U(0.1, 1), floor(200 s) <= 64 for s < 0.325.
    assert within((length == 64).sum(), draws, (0.325 - 0.1) / 0.9)
    # Other lengths are uniform, and so is the start within its range.
    assert within((length >= 132).sum(), draws, (1 - 0.66) / 0.9)
    assert start.min() == 0 and (start + length).max() == num_frames
    place = (start + 0.5) / (num_frames - length + 1)
    histogram = np.histogram(place[length < 150], bins=5, range=(0, 1))[0]
    assert all(within(n, histogram.sum(), 0.2) for n in histogram)


@pytest.mark.parametrize('num_frames', [1, 30, 64])
def test_short_clips_are_taken_whole(num_frames):
    start, length = TemporalCropResize().draw_crops(torch.tensor(num_frames))
    assert (start, length) == (0, num_frames)


def test_at_test_time_the_whole_clip_is_resized():
    transform = TemporalCropResize(ratio=(1, 1))
    x = clip(150)
    results = transform(dict(keypoint=x, total_frames=150))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(x).permute(0, 2, 3, 1).reshape(1, -1, 150),
        size=64,
        mode='linear').reshape(2, 25, 3, 64).permute(0, 3, 1, 2)
    np.testing.assert_allclose(results['keypoint'], expected, atol=1e-5)
    assert results['total_frames'] == 64


def test_corrupted_joints_are_drawn_uniformly():
    draws = 4000
    maps = JointCorruption().draw(draws, (1, 1, 25, 3), NTU)
    changed = (maps != torch.eye(3)).any(-1).any(-1)
    assert (changed.sum(1) == 15).all()
    assert all(within(n, draws, 15 / 25) for n in changed.sum(0).numpy())
    zeroed = (maps == 0).all(-1).all(-1)
    assert within(int(zeroed.any(1).sum()), draws, 0.5)
    # A clip has all joints changed, or none.
    assert (zeroed.sum(1).unique() == torch.tensor([0, 15])).all()


def test_the_number_of_corrupted_joints_is_rounded_to_the_nearest():
    maps = JointCorruption(0.35).draw(20, (1, 1, 25, 3), NTU)  # 8.75
    changed = (maps != torch.eye(3)).any(-1).any(-1)
    assert (changed.sum(1) == 9).all()


def test_corruption_is_zero_or_one_matrix_for_the_whole_clip():
    x = clip()
    zeroed = mixed = 0
    for _ in range(60):
        out = JointCorruption()(dict(keypoint=x.copy()))['keypoint']
        changed = np.flatnonzero((out != x).any(axis=(0, 1, 3)))
        assert len(changed) == 15
        if not out[:, :, changed].any():
            zeroed += 1
            continue
        mixed += 1
        a = x[:, :, changed].reshape(-1, 3)
        b = out[:, :, changed].reshape(-1, 3)
        matrix, *_ = np.linalg.lstsq(a, b, rcond=None)
        np.testing.assert_allclose(a @ matrix, b, atol=1e-4)
        assert np.abs(matrix).max() <= 1 + 1e-4
    assert zeroed and mixed


def test_matrix_entries_are_uniform():
    maps = PoseShear().draw(4000, (1, 1, 25, 3), NTU)
    assert (maps == maps[:, :1]).all()
    draws = maps[:, 0].numpy()
    off = draws[:, ~np.eye(3, dtype=bool)].ravel()
    assert (draws[:, range(3), range(3)] == 1).all()
    assert off.min() < -0.99 and off.max() > 0.99 and np.abs(off).max() <= 1
    histogram = np.histogram(off, bins=10, range=(-1, 1))[0]
    assert all(within(n, len(off), 0.1) for n in histogram)


def test_rotation_keeps_heights_and_distances():
    torch.manual_seed(0)
    x = clip(4)
    turned = PoseRotation(3)(dict(keypoint=x, augmentations=[]))
    y = turned['keypoint']
    assert not np.allclose(y, x)
    np.testing.assert_allclose(y[..., 1], x[..., 1])
    np.testing.assert_allclose(
        np.linalg.norm(y[:, :, 1:] - y[:, :, :-1], axis=-1),
        np.linalg.norm(x[:, :, 1:] - x[:, :, :-1], axis=-1),
        rtol=1e-4)
    cosine = PoseRotation(0.5).draw(4000, (1, 1, 25, 3), NTU)[:, 0, 0, 0]
    sine = PoseRotation(0.5).draw(4000, (1, 1, 25, 3), NTU)[:, 0, 0, 2]
    angle = sine.asin().numpy()
    assert cosine.min() > np.cos(0.5) - 1e-6 and 0.49 < angle.max() <= 0.5
    histogram = np.histogram(angle, bins=10, range=(-0.5, 0.5))[0]
    assert all(within(n, len(angle), 0.1) for n in histogram)


def test_rotation_about_z_keeps_heights_and_distances():
    torch.manual_seed(0)
    x = clip(4)
    turned = PoseRotation(3, up='z')(dict(keypoint=x, augmentations=[]))
    y = turned['keypoint']
    assert not np.allclose(y[..., 0], x[..., 0])
    assert not np.allclose(y[..., 1], x[..., 1])
    np.testing.assert_array_equal(y[..., 2], x[..., 2])
    np.testing.assert_allclose(
        np.linalg.norm(y[:, :, 1:] - y[:, :, :-1], axis=-1),
        np.linalg.norm(x[:, :, 1:] - x[:, :, :-1], axis=-1),
        rtol=1e-4)
    # The same draw turns about y by the same angle.
    torch.manual_seed(0)
    swapped = PoseRotation(3)(
        dict(keypoint=x[..., [0, 2, 1]].copy(), augmentations=[]))
    np.testing.assert_allclose(
        swapped['keypoint'][..., [0, 2, 1]], y, atol=1e-6)
    assert swapped['augmentations'] == turned['augmentations']


def test_rotation_is_about_y_by_default():
    torch.manual_seed(0)
    maps = PoseRotation().draw(5, (1, 1, 25, 3), NTU)
    torch.manual_seed(0)
    angle = 0.5 * (2 * torch.rand(5) - 1)
    expected = torch.zeros(5, 3, 3)
    expected[:, 0, 0] = expected[:, 2, 2] = angle.cos()
    expected[:, 0, 2], expected[:, 2, 0] = angle.sin(), -angle.sin()
    expected[:, 1, 1] = 1
    assert torch.equal(maps, expected[:, None].expand(-1, 25, -1, -1))


@pytest.mark.parametrize('up', ['y', 'z'])
def test_a_2d_skeleton_is_not_turned(up):
    x = clip(4, coords=2)
    y = PoseRotation(1.5, up)(dict(keypoint=x))['keypoint']
    np.testing.assert_array_equal(y, x)


def test_one_of_the_two_with_equal_probability():
    pipeline = Compose([AUGMENT[1]])
    x, draws = clip(4), 1000
    corrupted = 0
    for _ in range(draws):
        out = pipeline(dict(keypoint=x))['keypoint']
        unchanged = (out == x).all(axis=(0, 1, 3)).sum()
        assert unchanged in (0, 10)
        corrupted += unchanged == 10
    assert within(corrupted, draws, 0.5)


def test_views_are_drawn_independently_and_packed_in_order():
    transform = SkeletonMultiView(transforms=[AUGMENT, []], num_views=[3, 1])
    results = transform(
        dict(keypoint=clip(64), label=2, frame_dir='a', total_frames=64))
    first, second, third, plain = results['views']
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)
    np.testing.assert_array_equal(plain, results['keypoint'])
    packed = PackSkeletonInputs()(results)
    for view, tensor in zip(results['views'], packed['inputs']):
        np.testing.assert_allclose(view, tensor)
    assert packed['data_samples'].gt_label.tolist() == [2]
    assert packed['data_samples'].frame_dir == 'a'


def test_views_of_a_batch_are_drawn_like_those_of_a_clip():
    transform = SkeletonMultiView(transforms=[AUGMENT], num_views=[4])
    clips = pack_clips([torch.randn(1, t, 25, 3) for t in (20, 100, 300)] *
                       100)
    views, again, other = (
        transform.batch(clips, 2, ClipGenerator(seed, torch.arange(300)))
        for seed in (3, 3, 4))
    torch.testing.assert_close(views, again, atol=0, rtol=0)
    assert not torch.equal(views[0], other[0])
    assert len(views) == 4 and views[0].shape == (300, 2, 64, 25, 3)
    assert not torch.equal(views[0], views[1])
    # Clips shorter than a crop stay whole: each view maps the joints of the
    # resized clip.
    corrupted = sheared = 0
    for n in range(0, 300, 3):
        whole = crop_resize(
            clips.frames[1:][20 * n // 3 + 400 * (n // 3):][:20][None], 0, 20,
            64)
        for view in views:
            unchanged = (view[n, :1] - whole).abs().amax((0, 1, 3)) < 1e-5
            assert unchanged.sum() in (0, 10)
            corrupted += unchanged.sum() == 10
            sheared += unchanged.sum() == 0
    assert within(corrupted.item(), 400, 0.5) and corrupted + sheared == 400


def test_views_do_not_depend_on_how_a_batch_is_cut(monkeypatch):
    transform = SkeletonMultiView(transforms=[AUGMENT], num_views=[4])
    clips = pack_clips([torch.randn(m, 80, 25, 3) for m in (1, 2)])
    for frames in (clips.frames, clips.frames.half(), clips.frames.double()):
        views = []
        for step in (3, 100):
            monkeypatch.setattr(wrappers, 'CLIPS_IN_CACHE', step)
            generator = ClipGenerator(3, torch.arange(2))
            views.append(
                transform.batch(
                    clips._replace(frames=frames), 2, generator))
        torch.testing.assert_close(*views, atol=0, rtol=0)
        assert views[0][0].dtype == torch.promote_types(
            frames.dtype, torch.float32)


def test_views_of_a_clip_do_not_depend_on_its_batch():
    """Parts of a batch make what the whole makes, whatever draws."""
    strong = [
        dict(type='TemporalCropResize', ratio=(0.2, 0.9), min_len=8),
        dict(
            type='RandomChoice',
            prob=[0.2, 0.5, 0.3],
            transforms=[[dict(type='JointCorruption')],
                        [dict(type='PoseShear')], []]),
        dict(type='PoseRotation')
    ]
    transform = SkeletonMultiView(
        transforms=[AUGMENT, strong, AUGMENT[:1]], num_views=[1, 2, 1])
    clips = pack_clips([torch.randn(1, t, 25, 3) for t in range(70, 200, 9)])
    places = torch.arange(len(clips.num_frames))
    whole = transform.batch(clips, 2, ClipGenerator(3, places))
    for part in (places[::2], places[1::2], places[:1],
                 places[3:11]):
        views = transform.batch(
            clips.select(part), 2, ClipGenerator(3, part))
        for view, expected in zip(views, whole):
            assert torch.equal(view, expected[part])


def test_the_maps_of_a_batch_are_applied_in_their_order():
    """Those of successive transforms become one, but do not commute."""
    views = SkeletonMultiView([[
        dict(type='TemporalCropResize', ratio=(1, 1), clip_len=12),
        dict(type='PoseShear'), dict(type='PoseRotation', angle=3)
    ]])
    views.fit(1, 12, NTU)
    x = torch.randn(4, 1, 12, 25, 3)
    view, = views.batch(
        pack_clips(list(x)), 1, ClipGenerator(5, torch.arange(4)))
    generator = ClipGenerator(5, torch.arange(4)).of_views(range(1))
    crop, *steps = views.pipelines[0].transforms
    crop.draw_crops(torch.full((4, ), 12), generator)
    for step in steps:
        x = step.apply(x, step.draw(4, x.shape[1:], NTU, generator), NTU)
    torch.testing.assert_close(view, x, atol=1e-5, rtol=0)


def test_views_made_clip_by_clip_are_left_as_they_are():
    views = dict(type='SkeletonMultiView', transforms=[AUGMENT], num_views=[4])
    pipeline = Compose([views, dict(type='PackSkeletonInputs')])
    samples = [pipeline(dict(keypoint=clip(t))) for t in (20, 90)]
    preprocessor = MODELS.build(
        dict(type='SkeletonDataPreprocessor', views=views))
    batch = preprocessor(pack_collate(samples), True)['inputs']
    assert len(batch) == 4
    for i, view in enumerate(batch):
        expected = torch.stack([sample['inputs'][i] for sample in samples])
        torch.testing.assert_close(view, expected, atol=0, rtol=0)


@pytest.mark.parametrize('pipeline', [[dict(type='PoseShear')], [], [
    dict(type='TemporalCropResize'),
    dict(type='SkeletonPreNormalize')
]])
def test_what_cannot_be_batched_is_refused(pipeline):
    transform = SkeletonMultiView(transforms=[pipeline])
    with pytest.raises(ValueError, match='one clip at a time|start with'):
        transform.batch(pack_clips([torch.randn(1, 20, 25, 3)]), 1)


@pytest.mark.parametrize('num_person', [1, 2, 3])
def test_bodies_are_padded_or_left_out(num_person):
    x = clip(8, num_person)
    inputs = PackSkeletonInputs(num_person=2)(dict(keypoint=x))['inputs']
    assert inputs.shape == (1, 2, 8, 25, 3) and inputs.dtype == torch.float32
    np.testing.assert_array_equal(inputs[0, :num_person], x[:2])
    assert not inputs[0, num_person:].any()


def test_ragged_clips_are_packed_as_they_are():
    x = clip(30, 3).astype(np.float16)
    inputs = PackSkeletonInputs(ragged=True)(dict(keypoint=x))['inputs']
    assert isinstance(inputs, RaggedClip)
    assert inputs.joints.dtype == torch.float16
    np.testing.assert_array_equal(inputs.joints, x)


def test_ragged_clips_leave_out_bodies_but_are_not_padded():
    x = clip(30, 3)
    for num_person, packed in ((2, 2), (5, 3)):
        inputs = PackSkeletonInputs(num_person, ragged=True)(
            dict(keypoint=x))['inputs']
        np.testing.assert_array_equal(inputs.joints, x[:packed])


def test_streams_are_packed_by_name():
    results = GenSkeletonModalities(modalities=('joint', 'motion'))(
        dict(keypoint=clip(64, 1)))
    inputs = PackSkeletonInputs(num_person=2)(results)['inputs']
    assert isinstance(inputs, Streams)
    assert {k: tuple(v.shape) for k, v in inputs.items()} == {
        'joint': (1, 2, 64, 25, 3),
        'motion': (1, 2, 64, 25, 3)
    }


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_the_pipeline_takes_any_float(dtype):
    pipeline = Compose(
        [dict(type='SkeletonPreNormalize'), *AUGMENT,
         dict(type='PackSkeletonInputs')])
    inputs = pipeline(dict(keypoint=clip(30).astype(dtype)))['inputs']
    assert inputs.dtype == torch.float32 and inputs.isfinite().all()


def test_the_stock_normalisation_works_in_the_pipeline():
    pipeline = Compose(
        [dict(type='mmaction.PreNormalize3D'), *AUGMENT,
         dict(type='PackSkeletonInputs')])
    inputs = pipeline(dict(keypoint=clip(30), total_frames=30))['inputs']
    assert inputs.shape == (1, 2, 64, 25, 3) and inputs.isfinite().all()


def test_a_clip_without_bodies_stays_zero():
    empty = np.zeros((2, 40, 25, 3), np.float32)
    out = SkeletonPreNormalize()(dict(keypoint=empty))['keypoint']
    assert not out.any() and out.shape == empty.shape


@pytest.mark.parametrize('cfg, message', [
    (dict(type='TemporalCropResize', ratio=(0.5, 1.1)), 'within 0..1'),
    (dict(type='TemporalCropResize', clip_len=0), 'at least 1'),
    (dict(type='JointCorruption', ratio=1.5), 'within 0..1'),
    (dict(type='PoseShear', amplitude=-1), 'must not be negative'),
    (dict(type='PoseRotation', angle=-1), 'must not be negative'),
    (dict(type='PoseRotation', up='x'), "^up='x' must be one of 'y', 'z'$"),
    (dict(type='GenSkeletonModalities', modalities=['angle']),
     "unknown modality 'angle'"),
    (dict(type='SkeletonPreNormalize', layout='kinect'), 'unknown layout'),
    (dict(type='SkeletonMultiView', transforms=[[]], num_views=[1, 2]),
     'one number for each of 1 pipelines'),
])
def test_wrong_settings_say_why(cfg, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(cfg)


def test_wrong_joint_count_names_the_clip():
    with pytest.raises(ValueError, match='keypoint of jump_3 has shape') as e:
        SkeletonPreNormalize()(
            dict(keypoint=clip(num_joints=17), frame_dir='jump_3'))
    assert '\n' not in str(e.value)


@pytest.mark.parametrize('transform', [
    SkeletonPreNormalize, SkeletonPreNormalize2D, TemporalCropResize,
    JointCorruption, PoseRotation, PoseShear, GenSkeletonModalities,
    PackSkeletonInputs
])
def test_settings_are_shown_and_keys_documented(transform):
    assert 'Required Keys' in transform.__doc__
    assert repr(transform()).startswith(f'{transform.__name__}(')


def test_settings_are_shown_in_the_order_of_the_arguments():
    assert repr(SkeletonPreNormalize(scale=2., layout='coco')) == (
        "SkeletonPreNormalize(layout='coco', rotation='full', up='y', "
        'scale=2.0)')
    assert repr(TemporalCropResize([0.5, 1])) == (
        'TemporalCropResize(ratio=(0.5, 1), min_len=64, clip_len=64)')


def test_normalising_again_changes_only_bodies_whose_last_frame_is_empty():
    """As tools/data/README.md says of arrays that are normalised already."""
    normalize = SkeletonPreNormalize()

    def twice(gap):
        clip = np.random.default_rng(0).normal(size=(1, 12, 25, 3))
        clip[:, gap] = clip[:, 8:] = 0
        once = normalize(dict(keypoint=clip))['keypoint']
        again = normalize(dict(keypoint=once.copy()))['keypoint']
        return once, again

    for gap in range(1, 7):
        once, again = twice(gap)
        ends_empty = not once[0, -1].any()
        assert ends_empty == (gap == 3)
        changed = abs(once - again).max(axis=(0, 2, 3)) > 1e-5
        assert changed.tolist() == [False] * 11 + [ends_empty]


def test_what_one_pipeline_changes_no_other_sees():

    def shift(results):
        results['keypoint'] += 1
        return results

    joints = clip(8)
    views = SkeletonMultiView([[shift], []])(dict(keypoint=joints.copy()))
    np.testing.assert_array_equal(views['views'][1], joints)
    np.testing.assert_array_equal(views['views'][0], joints + 1)
