"""The names of the joints beside a skeleton."""
import numpy as np
from matplotlib.axes import Axes

from ..skeleton.layout import Layout
from .limbs import joint_colors
from .stick_figure import StickFigure


def pick_pose(clip: np.ndarray) -> np.ndarray:
    """Pick the first pose with the most joints: (M, T, V, C) -> (V, C)."""
    present = np.isfinite(clip).all(axis=-1).sum(axis=-1)
    body, frame = np.unravel_index(present.argmax(), present.shape)
    return clip[body, frame]


def spread(wanted: np.ndarray, gap: float, low: float,
           high: float) -> np.ndarray:
    """Move heights apart, as little as possible, and keep their order.

    Args:
        wanted (np.ndarray): Heights, (K, ), ascending.
        gap (float): Smallest distance; it shrinks if the range is too small.
        low (float): Lower end of the range.
        high (float): Upper end of the range.

    Returns:
        np.ndarray: Heights, (K, ).
    """
    if len(wanted) < 2:
        return wanted.clip(low, high)
    gap = min(gap, (high - low) / (len(wanted) - 1))
    steps = gap * np.arange(len(wanted))
    # Heights are a gap apart if `wanted - steps` does not descend.
    up = np.maximum.accumulate(wanted - steps)
    down = np.minimum.accumulate((wanted - steps)[::-1])[::-1]
    return ((up + down) / 2).clip(low, high - steps[-1]) + steps


def draw_joint_key(axes: Axes, clip: np.ndarray, layout: Layout,
                   matrix: np.ndarray) -> None:
    """Draw a large skeleton with the number and name of each joint.

    Args:
        axes (Axes): Axes to draw on.
        clip (np.ndarray): (M, T, V, C); its most complete pose is drawn.
        layout (Layout): Its layout.
        matrix (np.ndarray): (C, 2), from :func:`projection`.
    """
    pose = pick_pose(clip)
    page = pose @ matrix
    seen = np.flatnonzero(np.isfinite(page).all(axis=1))
    axes.axis('off')
    if not len(seen):
        return
    low, high = page[seen].min(axis=0), page[seen].max(axis=0)
    center, size = (low + high) / 2, np.maximum(high - low, 1e-6)
    box = np.array(axes.bbox.size) / axes.figure.dpi
    # The names take the outer thirds.
    scale = max(size[0] / (0.3 * box[0]), size[1] / (0.9 * box[1]))
    half = box * scale / 2
    axes.set(
        xlim=(center[0] - half[0], center[0] + half[0]),
        ylim=(center[1] - half[1], center[1] + half[1]),
        aspect='equal')
    StickFigure(axes, layout, matrix, 1, size=1.4).draw(pose[None])

    colors = joint_colors(layout)
    across = seen[np.argsort(page[seen, 0], kind='stable')]
    middle = len(across) // 2
    gap = 0.17 * scale
    for side, joints in ((-1, across[:middle]), (1, across[middle:])):
        joints = joints[np.argsort(page[joints, 1], kind='stable')]
        heights = spread(page[joints, 1], gap, center[1] - half[1] + gap,
                         center[1] + half[1] - gap)
        x = center[0] + side * (size[0] / 2 + 0.25 * scale)
        for joint, height in zip(joints, heights):
            axes.plot([page[joint, 0], x], [page[joint, 1], height],
                      color='#bbbbbb',
                      linewidth=0.6,
                      zorder=1)
            axes.text(
                x + side * 0.04 * scale,
                height,
                f'{joint} {layout.joints[joint]}',
                ha='left' if side > 0 else 'right',
                va='center',
                fontsize=7.5,
                color=colors[joint])
