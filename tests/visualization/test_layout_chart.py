"""The picture of the layouts shows their joints, parts and lines."""
import numpy as np
import pytest
from matplotlib.colors import to_hex

from umurl_mmaction.skeleton import LAYOUTS, build_layout
from umurl_mmaction.visualization.layout_chart import (
    draw_layouts,
    neutral_pose,
)
from umurl_mmaction.visualization.limbs import limb_palette


@pytest.mark.parametrize('name', LAYOUTS)
def test_a_neutral_pose_stands_and_is_symmetric(name):
    layout = LAYOUTS[name]
    pose = neutral_pose(layout)
    np.testing.assert_array_equal(pose[list(layout.mirrored)], pose * [-1, 1])
    # The left is on the right of the page, and no number hides another.
    assert pose[layout.shoulders[0], 0] > 0
    apart = np.linalg.norm(pose[:, None] - pose, axis=-1)
    assert apart[~np.eye(len(pose), dtype=bool)].min() > 0.08


def test_a_joint_without_a_place_is_named():
    layout = build_layout(dict(joints=['hip', 'left_wing'], parents=[-1, 0]))
    with pytest.raises(ValueError, match="'custom': joint 'left_wing' has no"):
        neutral_pose(layout)


def test_the_chart_shows_numbers_parts_and_the_centre():
    layouts = [LAYOUTS['sbu'], LAYOUTS['mediapipe'], LAYOUTS['msr']]
    figure = draw_layouts(layouts)
    assert len(figure.axes) == 3
    for layout, axes in zip(layouts, figure.axes):
        pose = neutral_pose(layout)
        assert axes.get_title() == f'{layout.name} ({layout.num_joints})'
        numbers = [text for text in axes.texts if text.get_text()]
        assert [text.get_text() for text in numbers] == [
            str(v) for v in range(layout.num_joints)]
        np.testing.assert_array_equal(
            [text.get_position() for text in numbers], pose)
        bones, joints, ring = axes.collections
        np.testing.assert_array_equal(joints.get_offsets(), pose)
        np.testing.assert_array_equal(ring.get_offsets(),
                                      pose[[layout.center]])
        drawn = [to_hex(color) for color in joints.get_facecolors()]
        for color, members in zip(limb_palette(6), layout.parts.values()):
            assert {drawn[v] for v in members} <= {color}
        ends = [v for v, parent in enumerate(layout.parents) if parent != -1]
        assert [to_hex(color) for color in bones.get_colors()] == [
            drawn[v] for v in ends]
        arrow, = (text for text in axes.texts if not text.get_text())
        start, end = (pose[v] for v in layout.shoulders)
        assert arrow.xy[0] == end[0] and arrow.xyann[0] == start[0]
        # All of it is to be seen.
        assert (axes.viewLim.min < pose.min(axis=0)).all()
        assert (axes.viewLim.max > pose.max(axis=0)).all()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [part.replace('_', ' ') for part in layouts[0].parts]
