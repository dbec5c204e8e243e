"""Transforms that know the body, on one clip and on a batch."""
import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose
from reference import augment as reference

from umurl_mmaction.datasets.transforms import (
    AxisDrop,
    BodyPartMask,
    JointNoise,
    LeftRightSwap,
    LimbScaling,
    SkeletonMultiView,
)
from umurl_mmaction.skeleton import LAYOUTS, build_layout, pack_clips
from umurl_mmaction.skeleton.body import scale_bones, swap_sides
from umurl_mmaction.skeleton.clip_generator import ClipGenerator

NTU = LAYOUTS['nturgb+d']
EVERY = [
    dict(type='LeftRightSwap'),
    dict(type='LimbScaling'),
    dict(type='JointNoise'),
    dict(type='AxisDrop'),
    dict(type='BodyPartMask')
]


def clip_of(layout, coords=3, num_frames=12):
    """Two bodies, the first one centred; some joints, some frames missing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, num_frames, layout.num_joints, coords))
    x[0] -= x[0, :, layout.center][:, None]
    x[rng.random(x.shape[:3]) < 0.1] = 0
    x[1, 5:7] = 0
    return x.astype(np.float32)


def augmented(transform, x, layout=NTU):
    return transform(dict(keypoint=x.copy(), layout=layout))['keypoint']


def within(count, total, probability):
    """Tell whether a binomial count lies within five deviations."""
    deviation = np.sqrt(total * probability * (1 - probability))
    return abs(count - total * probability) < 5 * deviation


@pytest.mark.parametrize('mirror', [True, False])
@pytest.mark.parametrize('name, coords', [('nturgb+d', 3), ('coco', 2)])
def test_sides_are_swapped_as_in_the_plain_form(name, coords, mirror):
    layout = LAYOUTS[name]
    x = clip_of(layout, coords)
    swap = LeftRightSwap(mirror)
    once = augmented(swap, x, layout)
    np.testing.assert_array_equal(
        once, reference.swap_sides(x, layout.joints, mirror))
    assert not np.array_equal(once, x)
    np.testing.assert_array_equal(augmented(swap, once, layout), x)


def test_a_mirrored_body_keeps_its_shoulder_line():
    x = np.random.default_rng(0).normal(size=(1, 1, 25, 3))
    x[0, 0, 4], x[0, 0, 8] = (-0.2, 1, 0), (0.2, 1, 0)
    y = augmented(LeftRightSwap(), x.astype(np.float32))[0, 0]
    np.testing.assert_allclose(y[8] - y[4], (0.4, 0, 0), atol=1e-6)


@pytest.mark.parametrize('name, coords', [('nturgb+d', 3), ('kinect-v1', 3),
                                          ('coco', 2), ('openpose', 2)])
def test_bones_are_scaled_as_in_the_plain_form(name, coords):
    layout = LAYOUTS[name]
    x = clip_of(layout, coords)
    factors = np.random.default_rng(1).uniform(0.5, 2, layout.num_joints)
    got = scale_bones(
        torch.from_numpy(x)[None],
        torch.from_numpy(factors)[None], layout)[0]
    expected = reference.scale_bones(x, factors, layout.parents,
                                     layout.center)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_array_equal(got == 0, x == 0)


@pytest.mark.parametrize('name', sorted(LAYOUTS))
def test_limbs_change_in_length_not_in_direction(name):
    layout = LAYOUTS[name]
    x = clip_of(layout)
    present = x.any(-1)
    x[~present] = np.random.default_rng(1).normal(size=(~present).sum() * 3
                                                  ).reshape(-1, 3)
    x[0, :, layout.center] = 0
    torch.manual_seed(0)
    y = augmented(LimbScaling(0.3), x, layout)
    # The centre stays, at the origin or not.
    np.testing.assert_array_equal(y[:, :, layout.center],
                                  x[:, :, layout.center])
    bones = [v for v, parent in enumerate(layout.parents) if parent != -1]
    starts = [layout.parents[v] for v in bones]
    before, after = (z[:, :, bones] - z[:, :, starts] for z in (x, y))
    factors = (after * before).sum(-1) / (before**2).sum(-1)
    np.testing.assert_allclose(after, factors[..., None] * before, atol=1e-4)
    # One factor for the whole clip, the same on both sides, and bounded.
    of_bone = factors[0, 0]
    np.testing.assert_allclose(
        factors, np.broadcast_to(of_bone, factors.shape), atol=1e-3)
    assert of_bone.min() > 0.7 - 1e-3 and of_bone.max() < 1.3 + 1e-3
    mirrored = [bones.index(layout.mirrored[v])
                if layout.mirrored[v] in bones else None for v in bones]
    for i, j in enumerate(mirrored):
        if j is not None:
            assert abs(of_bone[i] - of_bone[j]) < 1e-3
    assert np.ptp(of_bone) > 0.1


def test_factors_are_uniform_and_independent():
    factors = LimbScaling(0.2).draw(4000, (1, 8, 25, 3), NTU).numpy()
    assert (factors == factors[:, list(NTU.mirrored)]).all()
    histogram = np.histogram(factors[:, 5], bins=10, range=(0.8, 1.2))[0]
    assert histogram.sum() == 4000
    assert all(within(n, 4000, 0.1) for n in histogram)
    # Elbow against knee, and clip against clip.
    for a, b in ((factors[:, 5], factors[:, 13]),
                 (factors[1:, 5], factors[:-1, 5])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(4000)


def test_noise_has_the_deviation_and_leaves_missing_joints():
    x = clip_of(NTU, num_frames=200)
    torch.manual_seed(0)
    noise = augmented(JointNoise(0.05), x) - x
    assert not noise[~x.any(-1)].any()
    # The centre at the origin counts as missing: it stays there.
    assert not noise[0, :, NTU.center].any()
    drawn = noise[x.any(-1)]
    assert drawn.std() == pytest.approx(0.05, rel=0.02)
    assert abs(drawn.mean()) < 5 * 0.05 / np.sqrt(drawn.size)
    for deviations, share in ((1, 0.3173), (2, 0.0455)):
        count = (np.abs(drawn) > 0.05 * deviations).sum()
        assert within(count, drawn.size, share)


def test_noise_of_the_smallest_and_the_largest_number_is_finite(monkeypatch):
    for number in (0, 1 - 2**-24):
        monkeypatch.setattr(torch, 'rand',
                            lambda *shape, number=number: torch.full(
                                shape, number))
        noise = JointNoise(1).draw(2, (1, 4, 25, 3), NTU)
        assert noise.shape == (2, 1, 4, 25, 3)
        assert ((noise.abs() > 5) & noise.isfinite()).all()


@pytest.mark.parametrize('coords', [2, 3])
def test_one_axis_is_dropped(coords):
    maps = AxisDrop().draw(3000, (1, 1, 25, coords), NTU)
    assert (maps == maps[:, :1]).all()
    dropped = (maps[:, 0].diagonal(dim1=-2, dim2=-1) == 0)
    assert (dropped.sum(-1) == 1).all()
    assert all(within(int(n), 3000, 1 / coords) for n in dropped.sum(0))
    x = clip_of(NTU, coords)
    y = augmented(AxisDrop(), x)
    gone = [axis for axis in range(coords) if not y[..., axis].any()]
    assert len(gone) == 1
    kept = [axis for axis in range(coords) if axis not in gone]
    np.testing.assert_array_equal(y[..., kept], x[..., kept])


def test_a_part_is_hidden_over_a_stretch_of_time():
    drawn = BodyPartMask((0.25, 0.5)).draw(4000, (2, 40, 25, 3), NTU)
    joints, frames = drawn.any(1).numpy(), drawn.any(2).numpy()
    # Each mask is a product of joints and frames.
    assert (drawn.numpy() == frames[:, :, None] & joints[:, None]).all()
    length = frames.sum(1)
    assert length.min() == 10 and length.max() == 20
    # The stretch has no gap, and starts anywhere.
    assert (np.diff(frames.astype(int), axis=1) == 1).sum(1).max() == 1
    assert ((np.abs(np.diff(frames.astype(int), axis=1)) == 1).sum(1) <=
            2).all()
    assert frames[:, 0].any() and frames[:, -1].any()
    parts = {limb for limb in NTU.limbs if len(limb) <= 12}
    found = [tuple(np.flatnonzero(row)) for row in joints]
    assert set(found) == parts
    assert all(
        within(found.count(part), 4000, 1 / len(parts)) for part in parts)
    names = [NTU.joints[v] for v in NTU.limbs[NTU.joints.index('left_wrist')]]
    assert names == ['left_wrist', 'left_hand', 'left_hand_tip', 'left_thumb']


def test_what_is_not_hidden_stays():
    x = clip_of(NTU)
    torch.manual_seed(0)
    notes = []
    y = BodyPartMask((0.5, 0.5))(
        dict(keypoint=x.copy(), layout=NTU, augmentations=notes))['keypoint']
    hidden = (x != y).any((0, 3))
    assert hidden.any() and not y[:, hidden].any()
    np.testing.assert_array_equal(y[:, ~hidden], x[:, ~hidden])
    assert notes == [f'{hidden.any(0).sum()} joints, 6 frames hidden']


@pytest.mark.parametrize('cfg', EVERY, ids=lambda cfg: cfg['type'])
@pytest.mark.parametrize('name, coords', [('kinect-v1', 3), ('coco', 2)])
def test_a_batch_is_augmented_like_its_clips(cfg, name, coords):
    """Missing joints and bodies stay missing, in both."""
    layout = LAYOUTS[name]
    crop = dict(type='TemporalCropResize', ratio=(1, 1), clip_len=12)
    views = SkeletonMultiView(transforms=[[crop, cfg]], num_views=[2])
    views.fit(2, 12, layout)
    x = clip_of(layout, coords)
    clips = pack_clips([torch.from_numpy(z) for z in (x, x[:1])] * 2)
    batch = views.batch(clips, 2, ClipGenerator(5, torch.arange(4)))
    # The numbers that follow those of the crop.
    generator = ClipGenerator(5, torch.arange(4)).of_views(range(2))
    views.pipelines[0].transforms[0].draw_crops(
        clips.num_frames.repeat(2), generator)
    transform = views.pipelines[0].transforms[1]
    drawn = transform.draw(8, (2, *x.shape[1:]), layout, generator)
    for i, view in enumerate(torch.cat(batch)):
        bodies = torch.from_numpy(x if i % 2 == 0 else x[:1])
        padded = torch.cat([bodies, torch.zeros(2, *x.shape[1:])])[:2]
        alone = transform.apply(padded[None], drawn[i:i + 1], layout)[0]
        torch.testing.assert_close(view, alone, atol=1e-6, rtol=0)
        missing = ~padded.any(-1)
        if cfg['type'] == 'LeftRightSwap':
            missing = missing[..., list(layout.mirrored)]
        assert not view[missing].any()


def test_applied_with_a_probability_and_chosen_among():
    """MMCV's wrappers, in a batch, with transforms of all kinds."""
    crop = dict(type='TemporalCropResize', ratio=(1, 1), clip_len=12)
    swap = dict(type='LeftRightSwap')
    pipeline = [
        crop,
        dict(type='RandomApply', prob=0.3, transforms=[swap]),
        dict(
            type='RandomChoice',
            prob=[0.25, 0.75],
            transforms=[[dict(type='AxisDrop')],
                        [dict(type='BodyPartMask', ratio=(1, 1))]])
    ]
    views = SkeletonMultiView(transforms=[pipeline], num_views=[1])
    x = clip_of(NTU)
    x[x == 0] = 1
    swapped = augmented(LeftRightSwap(), x)
    total = 600
    batch = views.batch(
        pack_clips([torch.from_numpy(x)]).select(
            torch.zeros(total, dtype=torch.int64)), 2,
        ClipGenerator(0, torch.arange(total)))[0].numpy()
    same, mirrored = (np.isclose(batch, z, atol=1e-5) for z in (x, swapped))
    dropped = (batch == 0).all((1, 2, 3)).any(-1)
    hidden = (batch == 0).all((1, 2, 4)).any(-1)
    assert (dropped != hidden).all()
    assert within(dropped.sum(), total, 0.25)
    zero = batch == 0
    is_swapped = (mirrored | zero).all((1, 2, 3, 4))
    assert (is_swapped != (same | zero).all((1, 2, 3, 4))).all()
    assert within(is_swapped.sum(), total, 0.3)


def test_views_of_a_clip_do_not_depend_on_its_batch():
    """Parts of a batch make what the whole makes."""
    pipeline = [dict(type='TemporalCropResize', min_len=8), *EVERY] + [
        dict(type='RandomApply', transforms=[cfg]) for cfg in EVERY
    ]
    views = SkeletonMultiView(transforms=[pipeline], num_views=[2])
    clips = pack_clips([
        torch.from_numpy(clip_of(NTU, num_frames=t)) for t in range(9, 40, 5)
    ])
    places = torch.arange(len(clips.num_frames))
    whole = views.batch(clips, 2, ClipGenerator(3, places))
    for part in (places[::2], places[1::2], places[2:3]):
        got = views.batch(clips.select(part), 2, ClipGenerator(3, part))
        for view, expected in zip(got, whole):
            torch.testing.assert_close(view, expected[part], atol=1e-6,
                                       rtol=0)


def test_a_pipeline_of_single_clips_takes_them_all():
    pipeline = Compose([
        dict(type='TemporalCropResize', clip_len=16),
        *(dict(type='RandomApply', prob=1, transforms=[cfg])
          for cfg in EVERY)
    ])
    notes = []
    out = pipeline(
        dict(
            keypoint=clip_of(LAYOUTS['kinect-v1']),
            layout=LAYOUTS['kinect-v1'],
            augmentations=notes))['keypoint']
    assert out.shape == (2, 16, 20, 3) and out.dtype == np.float32
    assert len(notes) == 6 and notes[1] == 'left and right swapped'


def test_views_of_single_clips_take_the_layout_that_was_fitted():
    """Unless the data have one."""
    layout = LAYOUTS['kinect-v1']
    views = SkeletonMultiView([[
        dict(type='TemporalCropResize', ratio=(1.0, 1.0)),
        dict(type='LeftRightSwap')
    ]])
    clip = clip_of(layout)
    with pytest.raises(ValueError, match="'nturgb.d' wants 25 joints"):
        views(dict(keypoint=clip))
    wanted, = views(dict(keypoint=clip, layout=layout))['views']
    views.fit(1, 64, layout)
    made, = views(dict(keypoint=clip))['views']
    np.testing.assert_array_equal(made, wanted)
    other = build_layout(
        dict(layout.to_dict(), joints=[f'joint{v}' for v in range(20)]))
    with pytest.raises(ValueError, match='has no such pair'):
        views(dict(keypoint=clip, layout=other))


def test_a_transform_of_a_batch_takes_its_own_layout():
    names = ['left_hand', 'right_hand'] + [f'joint{v}' for v in range(23)]
    own = build_layout(dict(joints=names, parents=[-1] + 24 * [0]))
    views = SkeletonMultiView([[
        dict(type='TemporalCropResize', ratio=(1, 1), clip_len=12),
        dict(type='LeftRightSwap', layout=own.to_dict())
    ]])
    views.fit(1, 12, NTU)
    x = torch.randn(2, 1, 12, 25, 3)
    view, = views.batch(pack_clips(list(x)), 1)
    torch.testing.assert_close(view, swap_sides(x, own, True))


@pytest.mark.parametrize('cfg, message', [
    (dict(type='LimbScaling', amplitude=1), 'below 1'),
    (dict(type='JointNoise', std=-1), 'must not be negative'),
    (dict(type='BodyPartMask', ratio=(0.5, 1.5)), 'within 0..1'),
    (dict(type='LeftRightSwap', layout='kinect'), 'unknown layout'),
])
def test_wrong_settings_say_why(cfg, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(cfg)


@pytest.mark.parametrize('transform', [
    AxisDrop, BodyPartMask, JointNoise, LeftRightSwap, LimbScaling
])
def test_settings_are_shown_and_keys_documented(transform):
    assert 'Required Keys' in transform.__doc__
    assert repr(transform()).startswith(f'{transform.__name__}(')


def test_a_body_without_sides_is_refused():
    layout = build_layout(dict(joints='abc', parents=[-1, 0, 1]))
    x = np.ones((1, 4, 3, 3), np.float32)
    with pytest.raises(ValueError, match="'custom' has no such pair") as e:
        augmented(LeftRightSwap(), x, layout)
    assert '\n' not in str(e.value)
    for transform in (LimbScaling(), BodyPartMask(), LeftRightSwap()):
        with pytest.raises(ValueError, match="'nturgb.d' wants 25 joints"):
            augmented(transform, x)
