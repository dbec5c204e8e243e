import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose

from umurl_mmaction.transforms import (
    GenSkeletonModalities,
    JointCorruption,
    PackSkeletonInputs,
    PoseShear,
    SkeletonMultiView,
    SkeletonPreNormalize,
    TemporalCropResize,
)

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
    """Whether a binomial count lies within five standard deviations."""
    deviation = np.sqrt(total * probability * (1 - probability))
    return abs(count - total * probability) < 5 * deviation


def test_crop_is_drawn_as_the_paper_says():
    transform, num_frames, draws = TemporalCropResize(), 200, 20000
    crops = np.array([transform.draw_crop(num_frames) for _ in range(draws)])
    start, length = crops.T
    assert length.min() == 64 and length.max() == 199
    # floor(200 s) <= 64 for s < 0.325, of s ~ U(0.1, 1).
    assert within((length == 64).sum(), draws, (0.325 - 0.1) / 0.9)
    # Above that the length is uniform, and the start uniform in its room.
    assert within((length >= 132).sum(), draws, (1 - 0.66) / 0.9)
    assert start.min() == 0 and (start + length).max() == num_frames
    place = (start + 0.5) / (num_frames - length + 1)
    histogram = np.histogram(place[length < 150], bins=5, range=(0, 1))[0]
    assert all(within(n, histogram.sum(), 0.2) for n in histogram)


@pytest.mark.parametrize('num_frames', [1, 30, 64])
def test_short_clips_are_taken_whole(num_frames):
    assert TemporalCropResize().draw_crop(num_frames) == (0, num_frames)


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
    transform, draws = JointCorruption(), 4000
    counts = np.zeros(25)
    for _ in range(draws):
        joints = transform.draw_joints(25).numpy()
        assert len(set(joints)) == 15
        counts[joints] += 1
    assert all(within(n, draws, 15 / 25) for n in counts)
    assert within(
        sum(transform.draw_to_zero() for _ in range(draws)), draws, 0.5)


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
    transform = PoseShear()
    draws = np.array([transform.draw_matrix(3) for _ in range(4000)])
    off = draws[:, ~np.eye(3, dtype=bool)].ravel()
    assert (draws[:, range(3), range(3)] == 1).all()
    assert off.min() < -0.99 and off.max() > 0.99 and np.abs(off).max() <= 1
    histogram = np.histogram(off, bins=10, range=(-1, 1))[0]
    assert all(within(n, len(off), 0.1) for n in histogram)


def test_shear_is_one_matrix_for_the_whole_clip(monkeypatch):
    x, transform = clip(), PoseShear()
    matrix = np.array([[1, .5, -.2], [.3, 1, 0], [0, -.7, 1]])
    monkeypatch.setattr(transform, 'draw_matrix', lambda c: matrix)
    out = transform(dict(keypoint=x))['keypoint']
    np.testing.assert_allclose(
        out, np.einsum('ij,mtvj->mtvi', matrix, x), atol=1e-5)


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


@pytest.mark.parametrize('num_person', [1, 2, 3])
def test_bodies_are_padded_or_left_out(num_person):
    x = clip(8, num_person)
    inputs = PackSkeletonInputs(num_person=2)(dict(keypoint=x))['inputs']
    assert inputs.shape == (1, 2, 8, 25, 3) and inputs.dtype == torch.float32
    np.testing.assert_array_equal(inputs[0, :num_person], x[:2])
    assert not inputs[0, num_person:].any()


def test_streams_are_packed_by_name():
    results = GenSkeletonModalities(modalities=('joint', 'motion'))(
        dict(keypoint=clip(64, 1)))
    inputs = PackSkeletonInputs()(results)['inputs']
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
    (dict(type='GenSkeletonModalities', modalities=['angle']),
     "unknown modality 'angle'"),
    (dict(type='SkeletonPreNormalize', layout='h36m'), 'unknown layout'),
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
    SkeletonPreNormalize, TemporalCropResize, JointCorruption, PoseShear,
    GenSkeletonModalities, PackSkeletonInputs
])
def test_settings_are_shown_and_keys_documented(transform):
    assert 'Required Keys' in transform.__doc__
    assert repr(transform()).startswith(f'{transform.__name__}(')
