"""What is drawn is the clip: joints, bones, limbs, frames."""
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from umurl_mmaction.skeleton import LAYOUTS, build_layout
from umurl_mmaction.visualization import (
    Strip,
    StripFigure,
    hide_missing,
    log_figure,
    save_figure,
)
from umurl_mmaction.visualization.joint_key import draw_joint_key, spread
from umurl_mmaction.visualization.limbs import (
    ROOT_COLOR,
    find_limbs,
    joint_colors,
    limb_palette,
)
from umurl_mmaction.visualization.stick_figure import StickFigure, projection

# A hand: twelve fingers are more than the palette has names for.
HAND = dict(
    name='hand',
    joints=[f'joint{v}' for v in range(37)],
    parents=[-1, *(0 if v % 3 == 1 else v - 1 for v in range(1, 37))])
CHAIN = dict(
    name='chain',
    joints=[f'joint{v}' for v in range(20)],
    parents=[-1, *range(19)],
    center=2)
EVERY = [*LAYOUTS, HAND, CHAIN]


def name_of(layout):
    return layout if isinstance(layout, str) else layout['name']


every_layout = pytest.mark.parametrize('layout', EVERY, ids=name_of)


def make_clip(layout, num_person=2, num_frames=7, coords=3):
    V = build_layout(layout).num_joints
    rng = np.random.default_rng(0)
    return rng.normal(size=(num_person, num_frames, V, coords))


# Limbs


@every_layout
def test_every_bone_is_in_one_limb(layout):
    layout = build_layout(layout)
    joints = [joint for limb in find_limbs(layout) for joint in limb]
    root = layout.parents.index(-1)
    assert sorted([*joints, root]) == list(range(layout.num_joints))


@every_layout
def test_a_limb_is_a_chain_that_ends_where_others_start(layout):
    layout = build_layout(layout)
    for limb in find_limbs(layout):
        for parent, child in zip(limb, limb[1:]):
            assert layout.parents[child] == parent
            assert layout.parents.count(parent) == 1
        assert layout.parents.count(limb[-1]) != 1


def test_limbs_of_ntu_are_those_of_a_body():
    layout = build_layout('nturgb+d')
    ends = {layout.joints[limb[-1]]: len(limb) for limb in find_limbs(layout)}
    assert ends == dict(
        spine_base=2, head=2, left_hand_tip=6, right_hand_tip=6, left_foot=4,
        right_foot=4)


@every_layout
def test_limbs_have_colors_of_their_own(layout):
    layout = build_layout(layout)
    colors = joint_colors(layout)
    limbs = find_limbs(layout)
    assert colors[layout.parents.index(-1)] == ROOT_COLOR
    assert [len({colors[v] for v in limb}) for limb in limbs] == [1] * len(
        limbs)
    assert len({*colors}) == len(limbs) + 1


def test_palette_of_any_size_is_distinct():
    for size in range(40):
        assert len(set(limb_palette(size))) == size


# The projection


def test_projection_keeps_what_is_flat_and_turns_the_rest():
    front = projection(3, azimuth=0, elevation=0)
    # Kinect's x runs to the left of the picture.
    np.testing.assert_allclose(front, [[-1, 0], [0, 1], [0, 0]], atol=1e-12)
    np.testing.assert_array_equal(projection(2), [[1, 0], [0, -1]])
    np.testing.assert_array_equal(projection(2, up='y'), np.eye(2))
    # From above, what is nearer (smaller z) is lower on the page.
    assert projection(3, azimuth=0, elevation=30)[2] @ [0, 1] > 0
    # From the right, it is further to the left.
    assert projection(3, azimuth=30, elevation=0)[2] @ [1, 0] > 0


@pytest.mark.parametrize('up', ['y', '-y', 'z'])
def test_projection_is_parallel_and_does_not_mirror(up):
    matrix = projection(3, up)
    right, upwards = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(2), atol=1e-12)
    axis = dict(zip('xyz', np.eye(3)))[up[-1]] * (-1 if '-' in up else 1)
    assert upwards @ axis > 0.9
    # Seen by the camera, which looks along z, or along y if z points up.
    viewer = np.cross(right, upwards)
    assert viewer @ ([0, -1, 0] if up == 'z' else [0, 0, -1]) > 0.8


@pytest.mark.parametrize('args, message', [
    ((4, ), 'clips have 4 coordinates a joint'),
    ((2, 'z'), r"up='z' must be one of \('y', '-y'\) with 2"),
])
def test_what_cannot_be_projected(args, message):
    with pytest.raises(ValueError, match=message):
        projection(*args)


# The artists


@every_layout
@pytest.mark.parametrize('coords', [2, 3])
def test_artists_lie_where_the_joints_are(layout, coords):
    layout = build_layout(layout)
    clip = make_clip(layout, coords=coords)
    matrix = projection(coords)
    stick = StickFigure(Figure().add_subplot(), layout, matrix, 2)
    colors = joint_colors(layout)
    for frame in (3, 5):  # moved, not added
        stick.draw(clip[:, frame])
        for body in range(2):
            page = clip[body, frame] @ matrix
            points = stick.joints[body].get_offsets()
            np.testing.assert_allclose(points, page)
            lines = stick.bones[body].get_segments()
            bones = [(parent, v) for v, parent in enumerate(layout.parents)
                     if parent != -1]
            assert len(lines) == len(bones) == layout.num_joints - 1
            np.testing.assert_allclose(lines, [page[list(b)] for b in bones])
    drawn = [to_hex(c) for c in stick.bones[0].get_colors()]
    assert drawn == [colors[child] for _, child in bones]
    first, second = (s.get_facecolors() for s in stick.joints)
    assert (second[:, :3] > first[:, :3]).any()  # the second one is paler


def test_missing_is_not_drawn():
    layout = build_layout('coco')
    clip = make_clip('coco', coords=2)
    clip[1, 2] = 0  # a body
    clip[0, 3, 9] = 0  # a joint
    clip[0, 4, layout.center] = 0  # the centre is there
    shown = hide_missing(clip, layout)
    nothing = np.isnan(shown).all(axis=-1)
    wanted = np.zeros_like(nothing)
    wanted[1, 2] = wanted[0, 3, 9] = True
    np.testing.assert_array_equal(nothing, wanted)
    np.testing.assert_array_equal(shown[~nothing], clip[~nothing])
    # A joint that was set to 0 is to be seen.
    wanted[0, 3, 9] = False
    shown = hide_missing(clip, layout, joints=False)
    np.testing.assert_array_equal(np.isnan(shown).all(axis=-1), wanted)
    # Nothing has moved the centre of pixels to 0.
    shown = hide_missing(clip, layout, centered=False)
    wanted[0, 3, 9] = wanted[0, 4, layout.center] = True
    np.testing.assert_array_equal(np.isnan(shown).all(axis=-1), wanted)


# Strips


def test_a_strip_shows_the_picked_frames_of_each_clip():
    clips = [make_clip('coco', num_frames=9), make_clip('coco', num_frames=5)]
    figure = StripFigure([Strip(clip, 'a') for clip in clips],
                         build_layout('coco'), 3)
    matrix = projection(3)
    for clip, picked, column in zip(clips, ([0, 4, 8], [0, 2, 4]), range(2)):
        for row, frame in enumerate(picked):
            stick = figure.sticks[row][column]
            for body in range(2):
                np.testing.assert_allclose(stick.joints[body].get_offsets(),
                                           clip[body, frame] @ matrix)


def test_panels_of_a_space_share_limits_and_all_share_the_scale():
    layout = build_layout('coco')
    clip = make_clip(layout)
    # The same in millimetres and elsewhere.
    raw = 1000 * clip + [5000, 300, 20]
    figure = StripFigure([
        Strip(raw, 'raw', space='camera'),
        Strip(clip, 'clip'),
        Strip(0.5 * clip, 'half')
    ], layout, 2)
    rows = [[stick.axes for stick in row] for row in figure.sticks]
    limits = [[(*axes.get_xlim(), *axes.get_ylim()) for axes in row]
              for row in rows]
    assert limits[0] == limits[1] and limits[0][1] == limits[0][2]
    left, right, bottom, top = np.array(limits[0]).T
    np.testing.assert_allclose((right - left)[0], 1000 * (right - left)[1])
    for axes in rows[0]:
        assert axes.get_aspect() == 1
        width, height = axes.bbox.size
        np.testing.assert_allclose((top - bottom) / (right - left),
                                   height / width)


@every_layout
@pytest.mark.parametrize('stretch', [(1, 1, 1), (9, 1, 1), (1, 9, 1)])
def test_a_pose_is_wholly_to_be_seen(layout, stretch):
    layout = build_layout(layout)
    clip = make_clip(layout, num_frames=1) * stretch
    strips = [Strip(clip + 5, 'raw', space='camera'), Strip(clip, 'clip')]
    [sticks] = StripFigure(strips, layout, 1).sticks
    for stick in sticks:
        points = np.concatenate([x.get_offsets() for x in stick.joints])
        for axis, limits in ((0, stick.axes.get_xlim()),
                             (1, stick.axes.get_ylim())):
            assert limits[0] < points[:, axis].min()
            assert points[:, axis].max() < limits[1]


def test_what_an_augmentation_throws_far_out_does_not_hide_the_rest():
    layout = build_layout('coco')
    clip = make_clip(layout)

    def width(*clips):
        strips = [Strip(x, '') for x in clips]
        axes = StripFigure(strips, layout, 2).sticks[0][0].axes
        return np.ptp(axes.get_xlim())

    assert width(clip, 100 * clip) < 2 * width(clip)


def test_frames_without_anybody_say_so():
    layout = build_layout('coco')
    clip = make_clip(layout, num_frames=2)
    clip[:, 1] = 0
    figure = StripFigure([Strip(hide_missing(clip, layout), 'a')], layout, 2)
    texts = [[text.get_text() for text in axes.texts]
             for axes in figure.figure.axes]
    assert '1/2' in texts[0] and '2/2 nobody' in texts[1]


def test_another_layout_is_refused():
    with pytest.raises(ValueError, match="layout 'openpose' wants 18 joints"):
        StripFigure([Strip(make_clip('coco'), 'a')], build_layout('openpose'))


# The joints' names


@pytest.mark.parametrize('wanted', [[0., 0.1, 0.15, 3], [5.], [], [9.9] * 6])
def test_labels_are_moved_apart_in_order(wanted):
    moved = spread(np.array(wanted), 0.5, 0, 10)
    assert len(moved) == len(wanted)
    assert (np.diff(moved) > 0.5 - 1e-9).all()
    assert ((moved >= 0) & (moved <= 10 + 1e-9)).all()


def test_labels_that_are_apart_stay():
    wanted = np.array([0., 1, 2.5])
    np.testing.assert_allclose(spread(wanted, 0.5, 0, 10), wanted)


@every_layout
def test_every_joint_is_named_and_no_name_covers_another(layout):
    layout = build_layout(layout)
    figure = Figure(figsize=(4, 4.5))
    axes = figure.add_axes((0, 0, 1, 1))
    draw_joint_key(axes, make_clip(layout), layout, projection(3))
    names = [text.get_text() for text in axes.texts]
    assert sorted(names) == sorted(
        f'{v} {name}' for v, name in enumerate(layout.joints))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    for i, box in enumerate(boxes):
        # Ascenders and descenders may touch.
        assert not any(box.shrunk(1, 0.8).overlaps(other.shrunk(1, 0.8))
                       for other in boxes[i + 1:])


# Files


def test_files_are_whole_or_as_before(tmp_path, monkeypatch):
    path = tmp_path / 'new' / 'a.png'
    save_figure(Figure(figsize=(2, 1), dpi=50), path)
    assert Image.open(path).size == (100, 50)
    before = path.read_bytes()

    def fail(self, target, *args, **kwargs):
        target.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(Figure, 'savefig', fail)
    with pytest.raises(OSError, match='disk full'):
        save_figure(Figure(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_format_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match='xyz'):
        save_figure(Figure(), tmp_path / 'a.xyz')


def test_tensorboard_gets_the_picture(tmp_path):
    accumulator = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator')
    log_figure(Figure(figsize=(2, 1), dpi=50), None, 'not written')
    log_figure(Figure(figsize=(2, 1), dpi=50), str(tmp_path), 'clip/a')
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()['images'] == ['clip/a']
    [image] = events.Images('clip/a')
    assert (image.width, image.height) == (100, 50)
