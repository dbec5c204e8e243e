import numpy as np
import pytest
import torch
from reference import augment as plain
from reference import normalize as former

from umurl_mmaction.skeleton import build_layout, pack_clips
from umurl_mmaction.skeleton.augment import (
    corruption_map,
    map_joints,
    shear_map,
)
from umurl_mmaction.skeleton.normalize import normalize_clips
from umurl_mmaction.skeleton.temporal import crop_resize, crop_resize_packed

NTU = build_layout('nturgb+d')


def normalize_clip(clip, layout=NTU):
    return normalize_clips(torch.from_numpy(clip)[None], layout)[0].numpy()


@pytest.mark.shared
@pytest.mark.parametrize('clip', ['0', '1', '2'])
def test_augmentations_equal_the_papers_code(golden, clip):
    arrays = golden('augment.npz')

    def get(name):
        return torch.from_numpy(arrays[f'{clip}/{name}'])

    def close(got, name):
        torch.testing.assert_close(
            got, get(name), atol=1e-5, rtol=0, check_dtype=False)

    raw, cropped = get('input'), get('cropped')
    start, length = get('crop_start_len').tolist()
    close(crop_resize(raw, start, length, 64), 'cropped')
    close(crop_resize(raw, 0, raw.shape[1], 64), 'full_resized')
    close(map_joints(cropped, shear_map(get('shear_matrix'), 25)), 'sheared')
    for kind, matrix in (('zero', torch.zeros(3, 3)),
                         ('matrix', get('corrupt_matrix'))):
        joints = torch.zeros(25, dtype=torch.bool)
        joints[get(f'corrupt_{kind}_joints')] = True
        close(
            map_joints(cropped, corruption_map(joints, matrix)),
            f'corrupted_{kind}')


@pytest.mark.shared
def test_a_packed_batch_equals_the_papers_code(golden):
    arrays = golden('augment.npz')
    raw = [torch.from_numpy(arrays[f'{i}/input']) for i in range(3)]
    crops = torch.tensor([
        arrays[f'{i}/crop_start_len'].tolist() for i in range(3)
    ]).T
    num_person = max(len(clip) for clip in raw)
    got = crop_resize_packed(pack_clips(raw), *crops, 64, num_person)
    for i, view in enumerate(got):
        expected = torch.from_numpy(arrays[f'{i}/cropped'])
        torch.testing.assert_close(
            view[:len(expected)], expected, atol=1e-5, rtol=0)
        assert not view[len(expected):].any()


@pytest.mark.shared
def test_normalisation_equals_the_papers_code(golden):
    arrays = golden('ntu_preprocess.npz')
    assert len(arrays['names']) == 24
    for name in arrays['names']:
        got = normalize_clip(arrays[f'{name}/raw'])
        np.testing.assert_allclose(
            got, arrays[f'{name}/normalized'], atol=1e-5, err_msg=name)


@pytest.mark.parametrize('num_frames, start, length',
                         [(1, 0, 1), (5, 0, 5), (64, 0, 64), (90, 7, 64),
                          (300, 200, 100), (300, 299, 1)])
def test_crop_resize_matches_the_plain_one(num_frames, start, length):
    clip = torch.randn(2, num_frames, 25, 3, dtype=torch.float64)
    expected = plain.crop_resize(clip.numpy(), start, length, 64)
    got = crop_resize(clip, start, length, 64)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
def test_packed_clips_equal_the_clips_one_by_one(dtype):
    shapes = [(1, 1), (2, 30), (1, 90), (3, 64), (0, 5), (2, 300)]
    clips = [torch.randn(m, t, 25, 3).to(dtype) for m, t in shapes]
    length = torch.tensor([[1, 20, 64, 64, 5, 300], [1, 30, 90, 3, 1, 64]])
    start = torch.tensor([[0, 10, 26, 0, 0, 0], [0, 0, 0, 61, 4, 200]])
    got = crop_resize_packed(pack_clips(clips), start, length, 64, 3)
    assert got.shape == (2, 6, 3, 64, 25, 3) and got.dtype == torch.float32
    for view in range(2):
        for i, clip in enumerate(clips):
            expected = torch.zeros(3, 64, 25, 3)
            expected[:len(clip)] = crop_resize(clip.float(), start[view, i],
                                               length[view, i], 64)
            torch.testing.assert_close(got[view, i], expected)


def test_maps_in_succession_are_multiplied():
    clip = torch.randn(4, 2, 8, 25, 3)
    first, second = torch.randn(2, 4, 25, 3, 3)
    torch.testing.assert_close(
        map_joints(map_joints(clip, first), second),
        map_joints(clip, first @ second),
        atol=1e-4,
        rtol=1e-4)
    expected = torch.einsum('nmtvc,nvcd->nmtvd', clip, first)
    torch.testing.assert_close(map_joints(clip, first), expected)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(map_joints(clip, first), expected)


def test_crop_resize_of_all_frames_is_the_identity():
    clip = torch.randn(2, 64, 25, 3)
    torch.testing.assert_close(crop_resize(clip, 0, 64, 64), clip)


def test_crop_outside_the_clip_is_refused():
    with pytest.raises(ValueError, match='does not lie in a clip of 10'):
        crop_resize(torch.zeros(1, 10, 25, 3), 5, 6, 64)


def messy_clip(rng):
    """Two bodies with empty frames at the start, inside and at the end."""
    clip = rng.normal(size=(2, 20, 25, 3)).astype(np.float32)
    clip[0, 15:] = 0
    clip[0, 4] = 0
    clip[1, :3] = 0
    clip[1, 7, 5:9] = 0
    return clip


def test_normalisation_matches_the_plain_one():
    clip = messy_clip(np.random.default_rng(0))
    got = normalize_clip(clip)
    np.testing.assert_allclose(got, plain.normalize(clip), atol=1e-5)


def test_normalisation_ignores_position_and_heading():
    clip = messy_clip(np.random.default_rng(1))
    clip[0, 4] = clip[0, 3]  # where body 0 is lost there is no centre
    present = clip.any(-1, keepdims=True)
    turn = former.rotation_onto_x(np.array([1., -2., 0.5]))
    moved = ((clip @ turn.T + [1., 2., 3.]) * present).astype(np.float32)

    # The rotation does not determine the roll around +x: compare the rest.
    a, b = normalize_clip(clip), normalize_clip(moved)
    np.testing.assert_allclose(a[..., 0], b[..., 0], atol=1e-4)
    np.testing.assert_allclose(
        np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1), atol=1e-4)


def test_zero_bodies_stay_zero_wherever_they_are():
    body = messy_clip(np.random.default_rng(2))[:1]
    empty = np.zeros_like(body)
    alone = normalize_clip(body)
    for count in (1, 2):
        clip = np.concatenate([body] + [empty] * count)
        got = normalize_clip(clip)
        np.testing.assert_array_equal(got[:1], alone)
        assert not got[1:].any()
