"""The normalisation gives the same bits as the former one in NumPy."""
import numpy as np
import pytest
import torch
from mmengine import load
from reference import normalize as former

from umurl_mmaction.datasets.transforms import SkeletonPreNormalize
from umurl_mmaction.skeleton import Layout, build_layout
from umurl_mmaction.skeleton.layout import LAYOUTS
from umurl_mmaction.skeleton.normalize import normalize_clips, rotations_onto_x
from umurl_mmaction.skeleton.temporal import crop_resize, resize

NTU = build_layout('nturgb+d')


def assert_same_bits(keypoint, layout, noise=0):
    """Compare the former code with the transform and with a batch.

    Coordinates that cancel to less than ``noise`` may differ.
    """
    want = former.normalize(keypoint, layout)
    results = SkeletonPreNormalize(layout)(dict(keypoint=keypoint))
    batch = normalize_clips(torch.from_numpy(keypoint)[None], layout)
    for got in (results['keypoint'], batch[0].numpy()):
        assert got.dtype == want.dtype
        if noise:
            np.testing.assert_allclose(got, want, rtol=1e-7, atol=noise)
            got = np.where(abs(want) < noise, want, got)
        assert got.tobytes() == want.tobytes()


@pytest.mark.shared
def test_equals_the_papers_code(golden):
    arrays = golden('ntu_preprocess.npz')
    assert len(arrays['names']) == 24
    for name in arrays['names']:
        raw = arrays[f'{name}/raw'].astype(np.float32)
        assert_same_bits(raw, NTU)
        batch = torch.from_numpy(raw)[None]
        # Exported models compute it like this.
        np.testing.assert_allclose(
            normalize_clips(batch, NTU, torch.float32)[0],
            arrays[f'{name}/normalized'],
            atol=1e-5,
            err_msg=name)


@pytest.mark.shared
@pytest.mark.parametrize('name', ['gtu3d', 'nw_ucla', 'utd_mhad', 'msrc12'])
def test_bits_of_real_clips(shared, name):
    clips = load(shared(f'data/{name}.pkl'))['annotations']
    num_joints = clips[0]['keypoint'].shape[2]
    layout = Layout('any', tuple(map(str, range(num_joints))),
                    (-1, *range(num_joints - 1)), 1, (4, 8))
    for clip in clips[::10]:
        assert_same_bits(clip['keypoint'].astype(np.float32), layout)


@pytest.mark.parametrize('num_frames', [1, 2, 5, 40])
@pytest.mark.parametrize('layout, coords', [('nturgb+d', 3), ('coco', 2),
                                            ('openpose', 3)])
def test_bits_of_the_former_one_wherever_frames_are_missing(
        num_frames, layout, coords):
    layout = build_layout(layout)
    rng = np.random.default_rng(num_frames)
    clips = rng.normal(
        size=(64, 3, num_frames, layout.num_joints, coords)).astype('f')
    # Bodies that come and go or never appear, and single joints.
    clips *= rng.random((64, 3, num_frames, 1, 1)) < rng.random(
        (64, 3, 1, 1, 1)).round(1)
    clips *= rng.random(clips.shape[:-1])[..., None] < 0.95
    clips[0] = 0
    clips[1, 0] = 0
    clips += 0  # no -0
    got = normalize_clips(torch.from_numpy(clips), layout, torch.float32)
    assert got.dtype == torch.float32
    for clip, one in zip(clips, got):
        np.testing.assert_allclose(
            one, former.normalize(clip, layout), atol=1e-5)
        # With one shoulder missing, y and z cancel.
        assert_same_bits(clip, layout, noise=1e-14)


@pytest.mark.parametrize('vector', [[1., 0, 0], [0, 1., 0], [0, 0, -2.],
                                    [-1., 0, 0], [-1., 1e-3, 0], [3., 4, 12]])
def test_rotations_onto_x(vector):
    vector = torch.tensor(vector, dtype=torch.float64)
    rotation, = rotations_onto_x(vector[None])
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert torch.linalg.det(rotation).item() == pytest.approx(1)
    np.testing.assert_allclose(
        rotation @ vector, [vector.norm(), 0, 0], atol=1e-9)


@pytest.mark.parametrize('up', [1, 2])
def test_level_shoulders_leave_the_vertical_where_it_is(up):
    """Hence a turn that follows is about the same axis, y or z."""
    turns = torch.linspace(-3, 3, 50, dtype=torch.float64)
    lines = torch.zeros(50, 3, dtype=torch.float64)
    lines[:, 0], lines[:, 3 - up] = turns.cos(), turns.sin()
    vertical = torch.eye(3, dtype=torch.float64)[up]
    np.testing.assert_allclose(
        rotations_onto_x(lines) @ vertical, vertical.expand(50, 3), atol=1e-9)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_no_shoulder_line_no_rotation(dtype):
    rotation, = rotations_onto_x(torch.zeros(1, 3, dtype=dtype))
    assert torch.equal(rotation, torch.eye(3, dtype=dtype))


@pytest.mark.parametrize('turn', [1., 1e-2, 1e-4, 1e-5, 1e-6, 1e-8, 0.])
def test_rotations_close_to_half_a_turn(turn):
    """For these angles, 1 + cos(angle) is nothing but rounding error."""
    vectors = np.array([[-2., turn, -turn], [-2., 0, turn], [2., turn, 0],
                        [turn, turn, -turn]], 'f')
    got = rotations_onto_x(torch.from_numpy(vectors))
    for vector, rotation in zip(vectors.astype(np.float64), got):
        np.testing.assert_allclose(
            rotation, former.rotation_onto_x(vector), atol=1e-6)


@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def normalized(keypoint, **settings):
    transform = SkeletonPreNormalize('kinect-v1', **settings)
    return transform(dict(keypoint=keypoint))['keypoint']


def two_bodies(seed=0):
    """(2, 12, 20, 3), without missing joints."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, 12, 20, 3)).astype('f')


@pytest.mark.parametrize('up, vertical, depth', [('y', 1, 2), ('z', 2, 1)])
def test_a_vertical_turn_changes_no_height(up, vertical, depth):
    start, end = LAYOUTS['kinect-v1'].shoulders
    for seed in range(5):
        clip = two_bodies(seed)
        got = normalized(clip, rotation='vertical', up=up)
        kept = normalized(clip, rotation='none')
        np.testing.assert_array_equal(
            got[..., vertical], kept[..., vertical])
        np.testing.assert_allclose(
            np.linalg.norm(got, axis=-1), np.linalg.norm(kept, axis=-1),
            rtol=1e-5)
        line = got[0, 0, end] - got[0, 0, start]
        assert line[0] > 0 and abs(line[depth]) < 1e-6
        # Right-handed, as before.
        handed = [np.linalg.det(x[0, 0, 1:4].astype('f8'))
                  for x in (got, kept)]
        np.testing.assert_allclose(*handed, rtol=1e-4)


def test_a_vertical_line_is_not_turned_about_the_vertical():
    clip = two_bodies()
    clip[0, 0, 8] = clip[0, 0, 4] + [0, 1, 0]
    np.testing.assert_array_equal(
        normalized(clip, rotation='vertical'),
        normalized(clip, rotation='none'))


def test_no_rotation_is_the_centre_alone():
    clip = two_bodies()
    np.testing.assert_array_equal(
        normalized(clip, rotation='none'), clip - clip[:1, :, :1])


def test_the_scale_is_the_length_that_becomes_1():
    clip = two_bodies()
    np.testing.assert_array_equal(
        normalized(clip, scale=0.7), normalized(clip) / np.float32(0.7))
    # Whatever the unit of the data.
    np.testing.assert_allclose(
        normalized(1000 * clip, scale=700.), normalized(clip, scale=0.7),
        rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('settings, message', [
    (dict(rotation='half'), "rotation='half' must be one of 'full', "),
    (dict(up='x'), "up='x' must be one of 'y', 'z'"),
    (dict(scale=0), 'scale=0 must be a length above 0'),
])
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        SkeletonPreNormalize(**settings)


def test_tracers_follow_any_length():
    clip = torch.randn(2, 2, 7, 25, 3)
    traced = torch.jit.trace(
        lambda x: resize(normalize_clips(x, NTU), 16), clip)
    other = torch.randn(3, 2, 50, 25, 3)
    other[:, 0, :4] = 0
    torch.testing.assert_close(
        traced(other), resize(normalize_clips(other, NTU), 16))


@pytest.mark.parametrize('num_frames', [1, 15, 16, 90])
def test_resize_is_the_crop_of_all_frames(num_frames):
    clip = torch.randn(2, num_frames, 25, 3)
    torch.testing.assert_close(
        resize(clip, 16), crop_resize(clip, 0, num_frames, 16), rtol=0,
        atol=0)
    expected = torch.nn.functional.interpolate(
        clip.permute(0, 2, 3, 1).flatten(1, 2), 16, mode='linear')
    torch.testing.assert_close(
        resize(clip, 16).permute(0, 2, 3, 1).flatten(1, 2), expected)
