"""The joints of layouts, as numbered stick figures in a neutral pose."""
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..skeleton.layout import Layout
from .limbs import limb_palette
from .stick_figure import StickFigure, projection

# Where the joints of the known layouts are, by their names without the side:
# metres from the middle of the body to that side, and upwards. A joint of
# neither side is in the middle. Head, hands and feet are larger than life, so
# that their numbers can be read.
_POSITIONS = {
    'head': (0, 1.84),
    'eye_inner': (.08, 1.74),
    'eye': (.17, 1.77),
    'eye_outer': (.26, 1.74),
    'ear': (.3, 1.64),
    'nose': (0, 1.66),
    'mouth': (.07, 1.56),
    'neck_base': (0, 1.52),
    'neck': (0, 1.5),
    'shoulder_center': (0, 1.42),
    'spine_shoulder': (0, 1.38),
    'thorax': (0, 1.38),
    'collar': (.11, 1.4),
    'shoulder': (.24, 1.38),
    'elbow': (.37, 1.14),
    'wrist': (.45, .92),
    'hand': (.49, .79),
    'thumb': (.37, .76),
    'hand_tip': (.52, .66),
    'index': (.47, .73),
    'pinky': (.57, .78),
    'spine3': (0, 1.28),
    'spine2': (0, 1.17),
    'spine1': (0, 1.06),
    'spine': (0, 1.16),
    'spine_mid': (0, 1.16),
    'torso': (0, 1.18),
    'hip': (.14, .92),
    'pelvis': (0, .94),
    'root': (0, .94),
    'hip_center': (0, .94),
    'mid_hip': (0, .94),
    'spine_base': (0, .94),
    'knee': (.17, .52),
    'ankle': (.19, .16),
    'foot': (.23, .04),
    'heel': (.12, .05),
    'big_toe': (.21, .0),
    'small_toe': (.31, .04),
    'foot_index': (.25, .02),
}
# In inches.
WIDTH, HEIGHT, TITLE_HEIGHT, KEY_HEIGHT = 2, 2.9, 0.25, 0.3
REACH = 0.1
COLUMNS = 4


def neutral_pose(layout: Layout) -> np.ndarray:
    """Place the joints of a body that stands and faces the viewer.

    Args:
        layout (Layout): One with the joint names of the known layouts.

    Returns:
        np.ndarray: Metres to the left of the body, which is the right of the
        page, and upwards: (V, 2).

    Raises:
        ValueError: If a joint has another name.
    """
    pose = np.zeros((layout.num_joints, 2))
    for v, joint in enumerate(layout.joints):
        words = joint.split('_')
        side = ('left' in words) - ('right' in words)
        name = '_'.join(x for x in words if x not in ('left', 'right'))
        if name not in _POSITIONS:
            raise ValueError(f'layout {layout.name!r}: joint {joint!r} has no '
                             'place in the neutral pose')
        x, y = _POSITIONS[name]
        pose[v] = side * x, y
    return pose


def draw_layouts(layouts: Sequence[Layout]) -> Figure:
    """Draw each layout with the numbers of its joints.

    A joint and the bone that leads to it have the colour of their part of the
    body. A ring marks the centre, and an arrow leads from the start to the end
    of the line of the shoulders.

    Args:
        layouts (sequence of Layout): The layouts, row by row.
    """
    rows = -(-len(layouts) // COLUMNS)
    height = rows * (HEIGHT + TITLE_HEIGHT) + KEY_HEIGHT
    figure = Figure(figsize=(COLUMNS * WIDTH, height), dpi=100)
    palette = dict(zip(layouts[0].parts, limb_palette(6)))
    matrix = projection(2, up='y')
    for i, layout in enumerate(layouts):
        axes = figure.add_subplot(rows, COLUMNS, i + 1)
        pose = neutral_pose(layout)
        low, high = pose.min(axis=0) - REACH, pose.max(axis=0) + REACH
        axes.set(
            xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect='equal')
        axes.axis('off')
        axes.set_title(f'{layout.name} ({layout.num_joints})', fontsize=9)
        stick = StickFigure(axes, layout, matrix, 1)
        colors = [''] * layout.num_joints
        for part, joints in layout.parts.items():
            for v in joints:
                colors[v] = palette[part]
        stick.joints[0].set(sizes=[80], facecolors=colors)
        stick.bones[0].set_colors([
            colors[v] for v, parent in enumerate(layout.parents)
            if parent != -1
        ])
        stick.draw(pose[None])
        for v, (x, y) in enumerate(pose):
            axes.text(
                x, y, str(v), ha='center', va='center_baseline', fontsize=5.5,
                color='white', weight='bold', zorder=4)
        x, y = pose[layout.center]
        axes.scatter(
            x, y, s=190, facecolors='none', edgecolors='black', linewidths=1.2)
        if layout.shoulders is not None:
            start, end = pose[list(layout.shoulders)] + (0, 0.075)
            axes.annotate(
                '', end, start,
                arrowprops=dict(arrowstyle='->', color='black', linewidth=0.8))
    figure.legend(
        [Line2D([], [], color=color, linewidth=3)
         for color in palette.values()],
        [part.replace('_', ' ') for part in palette],
        loc='lower center', ncols=len(palette), fontsize=8, frameon=False)
    figure.tight_layout(pad=0.4, rect=(0, KEY_HEIGHT / height, 1, 1))
    return figure
