"""Poses before and after a normalisation, on axes with numbers."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..skeleton.layout import Layout
from .limbs import joint_colors
from .stick_figure import StickFigure, hide_missing

SIZE = 3.4  # inches of a picture


class PosePair(NamedTuple):
    """The first pose of a clip.

    Args:
        title (str): Name of the clip.
        raw (np.ndarray): As annotated, (M, V, C); zeros are missing.
        normalized (np.ndarray): After the normalisation, (M, V, C), of as
            many coordinates or not.
    """
    title: str
    raw: np.ndarray
    normalized: np.ndarray


def first_pose(raw: np.ndarray, normalized: np.ndarray, layout: Layout,
               centered: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pick the first frame with a joint of a clip and its normalised form.

    Args:
        raw (np.ndarray): (M, T, V, C).
        normalized (np.ndarray): (M, T, V, C); a normalisation drops empty
            frames at the start, so its first one is that of the other.
        layout (Layout): Their layout.
        centered (bool): Whether the centre joint of ``normalized`` may be at
            the origin.

    Returns:
        tuple[np.ndarray, np.ndarray]: (M, V, C) each, NaN where missing.
    """
    poses = []
    for clip in (raw, normalized):
        frame = int(clip.any(axis=(0, 2, 3)).argmax())
        pose = hide_missing(clip[:, frame:frame + 1], layout,
                            centered=centered)
        poses.append(pose[:, 0])
    return poses[0], poses[1]


def _panels(num_coords: int, up: str) -> list[tuple[int, int]]:
    """Return the axes to the right and upwards of each picture."""
    if num_coords == 2:
        return [(0, 1)]
    upwards = 'xyz'.index(up[-1])
    return [(v, upwards) for v in range(3) if v != upwards]


def _draw_pose(axes: Axes, pose: np.ndarray, panel: tuple[int, int], up: str,
               unit: str, layout: Layout) -> None:
    matrix = np.zeros((pose.shape[-1], 2))
    matrix[panel[0], 0] = matrix[panel[1], 1] = 1
    StickFigure(axes, layout, matrix, len(pose)).draw(pose)
    page = pose[0] @ matrix
    colors = joint_colors(layout)
    seen = np.flatnonzero(np.isfinite(page).all(axis=-1))
    for v in seen:
        axes.annotate(
            str(v), page[v], (2, 2), textcoords='offset points', fontsize=6,
            color=colors[v])
    if len(seen):
        low, high = page[seen].min(axis=0), page[seen].max(axis=0)
        middle, half = (low + high) / 2, 0.58 * max((high - low).max(), 1e-6)
        axes.set(
            xlim=(middle[0] - half, middle[0] + half),
            ylim=(middle[1] - half, middle[1] + half))
    axes.set_aspect('equal')
    if up.startswith('-'):
        axes.invert_yaxis()
    axes.set_xlabel(f'{"xyz"[panel[0]]} ({unit})', fontsize=7, labelpad=1)
    axes.set_ylabel(f'{"xyz"[panel[1]]} ({unit})', fontsize=7, labelpad=1)
    axes.tick_params(labelsize=6)
    axes.grid(color='#eeeeee', linewidth=0.6)
    axes.set_axisbelow(True)


def draw_normalization(pairs: Sequence[PosePair], layout: Layout, up: str,
                       units: tuple[str, str]) -> Figure:
    """Draw a row for each pose: before and after, each from two sides in 3D.

    Args:
        pairs (Sequence[PosePair]): The poses; NaN is not drawn.
        layout (Layout): Their layout; the joints have their numbers.
        up (str): The axis that points up, such as ``'y'`` or ``'-y'``.
        units (tuple[str, str]): Units before and after.

    Returns:
        Figure: The figure.
    """
    # A normalisation may drop a coordinate.
    before, after = (_panels(pose.shape[-1], up) for pose in pairs[0][1:])
    columns = len(before) + len(after)
    figure = Figure(
        figsize=(SIZE * columns, SIZE * len(pairs)), dpi=110)
    inch = 1 / (SIZE * columns), 1 / (SIZE * len(pairs))
    figure.subplots_adjust(
        left=0.6 * inch[0], right=1 - 0.15 * inch[0], bottom=0.5 * inch[1],
        top=1 - 0.35 * inch[1], wspace=0.25, hspace=0.25)
    grid = figure.subplots(len(pairs), columns, squeeze=False)
    for row, pair in zip(grid, pairs):
        drawn = [(pair.raw, panel, units[0], 'as annotated')
                 for panel in before]
        drawn += [(pair.normalized, panel, units[1], 'normalised')
                  for panel in after]
        for axes, (pose, panel, unit, state) in zip(row, drawn):
            _draw_pose(axes, pose, panel, up, unit, layout)
            axes.set_title(f'{pair.title}: {state}', fontsize=8)
    return figure
