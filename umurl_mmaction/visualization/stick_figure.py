"""Skeletons as stick figures on matplotlib axes."""
from typing import Optional

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgb

from ..skeleton.layout import Layout
from .limbs import joint_colors

# Directions to the right, upwards and to the viewer, who stands at the camera,
# by the axis that points up. Kinect's x axis points to the picture's left.
_VIEWERS = {
    'y': ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
    '-y': ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    'z': ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
}
UP_AXES = tuple(_VIEWERS)
# Where the viewer of three dimensions stands, in degrees.
AZIMUTH, ELEVATION = 25., 12.


def viewer(up: Optional[str] = None) -> tuple[tuple[int, ...], ...]:
    """Return the directions to the right, upwards and to the viewer in 3D."""
    return _VIEWERS[up or 'y']


def projection(num_coords: int,
               up: Optional[str] = None,
               azimuth: float = AZIMUTH,
               elevation: float = ELEVATION) -> np.ndarray:
    """Make the matrix that projects joints to the page.

    ``keypoint @ matrix`` is a parallel projection: lengths can be compared
    anywhere on the page.

    Args:
        num_coords (int): Coordinates C, 2 or 3.
        up (str, optional): The axis that points up, one of ``UP_AXES``.
            Defaults to None: ``'y'`` in three dimensions as in Kinect's
            camera coordinates, ``'-y'`` in two as in pixels.
        azimuth (float): Degrees by which the viewer moves to the right; 3D
            only. Defaults to 25.
        elevation (float): Degrees by which the viewer looks down; 3D only.
            Defaults to 12.

    Returns:
        np.ndarray: (C, 2); the columns point to the right and upwards.

    Raises:
        ValueError: If C is neither 2 nor 3, or there is no such axis.
    """
    if num_coords not in (2, 3):
        raise ValueError(f'clips have {num_coords} coordinates a joint; only '
                         '2 or 3 can be drawn')
    up = up or ('y' if num_coords == 3 else '-y')
    if up not in UP_AXES[:num_coords]:
        raise ValueError(f'up={up!r} must be one of {UP_AXES[:num_coords]} '
                         f'with {num_coords} coordinates')
    if num_coords == 2:
        return np.array([[1., 0.], [0., -1. if up == '-y' else 1.]])
    right, upwards, near = np.array(viewer(up), dtype=float)
    turn, tilt = np.deg2rad([azimuth, elevation])
    right, near = (np.cos(turn) * right - np.sin(turn) * near,
                   np.cos(turn) * near + np.sin(turn) * right)
    upwards = np.cos(tilt) * upwards - np.sin(tilt) * near
    return np.stack([right, upwards], axis=1)


def hide_missing(keypoint: np.ndarray,
                 layout: Layout,
                 joints: bool = True,
                 centered: bool = True) -> np.ndarray:
    """Replace missing bodies and joints by NaN, so that they are not drawn.

    A body without any joint in a frame is missing. A single joint at exactly
    0 is missing too, except the centre, which a normalisation moves there.

    Args:
        keypoint (np.ndarray): (M, T, V, C).
        layout (Layout): Its layout.
        joints (bool): Also hide single joints. Defaults to True.
        centered (bool): Keep the centre joint at 0. Defaults to True.

    Returns:
        np.ndarray: A new array, (M, T, V, C).
    """
    present = np.asarray(keypoint.any(axis=-1))
    body = present.any(axis=-1, keepdims=True)
    if not joints:
        present |= body
    elif centered:
        present[..., [layout.center]] |= body
    return np.where(present[..., None], keypoint, np.nan)


def pale(color: str) -> str:
    """Mix a colour with white, half of each."""
    red, green, blue = to_rgb(color)
    return to_hex(((1 + red) / 2, (1 + green) / 2, (1 + blue) / 2))


class StickFigure:
    """The bodies of a clip on axes; ``draw`` moves them to a pose.

    Bones and joints have the colours of their limbs. The first body has full
    colours, the others are pale.

    Args:
        axes (Axes): Axes to draw on.
        layout (Layout): The joints and their parents.
        matrix (np.ndarray): (C, 2), from :func:`projection`.
        num_person (int): Bodies M.
        size (float): Factor of the widths. Defaults to 1.

    Attributes:
        bones (list[LineCollection]): Bones of each body: V - 1 lines from
            parent to joint, in the order of the joints.
        joints (list[PathCollection]): V joints of each body.
    """

    def __init__(self,
                 axes: Axes,
                 layout: Layout,
                 matrix: np.ndarray,
                 num_person: int,
                 size: float = 1.) -> None:
        self.axes = axes
        self.matrix = matrix
        self._ends = [
            v for v, parent in enumerate(layout.parents) if parent != -1
        ]
        self._starts = [layout.parents[v] for v in self._ends]
        self._colors = joint_colors(layout)
        self.bones: list[LineCollection] = []
        self.joints: list[PathCollection] = []
        nowhere = np.full(layout.num_joints, np.nan)
        # The first body is drawn last, so that nothing covers it.
        for body in reversed(range(num_person)):
            first = body == 0
            colors = self.colors(body)
            lines = LineCollection(
                [],
                colors=[colors[v] for v in self._ends],
                linewidths=(1.8 if first else 1.5) * size,
                capstyle='round',
                zorder=3 - 0.1 * body)
            axes.add_collection(lines, autolim=False)
            points = axes.scatter(
                nowhere,
                nowhere,
                s=9 * size**2,
                c=colors,
                linewidths=0,
                zorder=3.05 - 0.1 * body)
            self.bones.insert(0, lines)
            self.joints.insert(0, points)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Parent and joint of each bone."""
        return list(zip(self._starts, self._ends))

    def colors(self, body: int) -> list[str]:
        """Return the colour of each joint of a body, and of its bone."""
        return self._colors if body == 0 else list(map(pale, self._colors))

    def draw(self, pose: np.ndarray) -> None:
        """Show a pose (M, V, C); NaN is not drawn."""
        page = pose @ self.matrix
        for lines, points, body in zip(self.bones, self.joints, page):
            lines.set_segments(
                list(zip(body[self._starts], body[self._ends])))
            points.set_offsets(body)


def draw_compass(axes: Axes, matrix: np.ndarray) -> None:
    """Show the directions of x, y and z in a corner of the axes."""
    inch = axes.figure.dpi / np.array(axes.bbox.size)
    origin = 1 - np.array([0.26, 0.3]) * inch
    for name, arrow in zip('xyz', matrix):
        tip = origin + 0.14 * arrow * inch
        axes.plot(
            *zip(origin, tip),
            transform=axes.transAxes,
            color='#999999',
            linewidth=1)
        x, y = origin + 0.21 * arrow * inch
        axes.text(
            x,
            y,
            name,
            transform=axes.transAxes,
            ha='center',
            va='center',
            fontsize=6.5,
            color='#777777')
