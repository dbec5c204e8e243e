"""The normalisation of exported models does what the numpy one does."""
import numpy as np
import pytest
import torch

from umurl_mmaction.skeleton import (
    align_bodies,
    build_layout,
    crop_resize,
    normalize_batch,
    repair_missing_frames,
    resize,
)
from umurl_mmaction.skeleton.batched import rotations_onto_x
from umurl_mmaction.skeleton.normalize import rotation_onto_x

NTU = build_layout('nturgb+d')


def plain(clip, layout=NTU):
    return align_bodies(repair_missing_frames(clip), layout)


@pytest.mark.shared
def test_equals_the_papers_code(golden):
    arrays = golden('ntu_preprocess.npz')
    assert len(arrays['names']) == 24
    for name in arrays['names']:
        raw = torch.from_numpy(arrays[f'{name}/raw'])[None].float()
        np.testing.assert_allclose(
            normalize_batch(raw, NTU)[0],
            arrays[f'{name}/normalized'],
            atol=1e-5,
            err_msg=name)


@pytest.mark.parametrize('num_frames', [1, 2, 5, 40])
@pytest.mark.parametrize('layout, coords', [('nturgb+d', 3), ('coco', 2),
                                            ('openpose', 3)])
def test_equals_the_numpy_one_wherever_frames_are_missing(
        num_frames, layout, coords):
    layout = build_layout(layout)
    rng = np.random.default_rng(num_frames)
    clips = rng.normal(
        size=(64, 3, num_frames, layout.num_joints, coords)).astype('f')
    # Bodies that come and go, or are never there; and single joints.
    clips *= rng.random((64, 3, num_frames, 1, 1)) < rng.random(
        (64, 3, 1, 1, 1)).round(1)
    clips *= rng.random(clips.shape[:-1])[..., None] < 0.95
    clips[0] = 0
    clips[1, 0] = 0
    got = normalize_batch(torch.from_numpy(clips), layout)
    assert got.dtype == torch.float32
    for clip, one in zip(clips, got):
        np.testing.assert_allclose(one, plain(clip, layout), atol=1e-5)


@pytest.mark.parametrize('turn', [1., 1e-2, 1e-4, 1e-5, 1e-6, 1e-8, 0.])
def test_rotations_close_to_half_a_turn(turn):
    """Where 1 + cos(angle) is all rounding error."""
    vectors = np.array([[-2., turn, -turn], [-2., 0, turn], [2., turn, 0],
                        [turn, turn, -turn]], 'f')
    got = rotations_onto_x(torch.from_numpy(vectors))
    for vector, rotation in zip(vectors.astype(np.float64), got):
        np.testing.assert_allclose(
            rotation, rotation_onto_x(vector), atol=1e-6)


@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def test_tracers_follow_any_length():
    clip = torch.randn(2, 2, 7, 25, 3)
    traced = torch.jit.trace(
        lambda x: resize(normalize_batch(x, NTU), 16), clip)
    other = torch.randn(3, 2, 50, 25, 3)
    other[:, 0, :4] = 0
    torch.testing.assert_close(
        traced(other), resize(normalize_batch(other, NTU), 16))


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
