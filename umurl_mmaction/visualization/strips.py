"""Clips as strips of stick figures, side by side."""
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..skeleton.layout import Layout
from .joint_key import draw_joint_key
from .stick_figure import StickFigure, draw_compass, projection

# In inches: a strip, the smallest and largest frame, a line of text, the
# joints' names.
WIDTH = 1.75
HEIGHTS = (1.3, 2.2)
CAPTION_HEIGHT = 0.14
TITLE_HEIGHT = 0.17
KEY_WIDTH, KEY_HEIGHT = 4.2, 4.5
GAP = 0.08
# Share of the first clip's size that is shown around it.
REACH = 0.25


class Strip(NamedTuple):
    """A clip and its title.

    Args:
        clip (np.ndarray): (M, T, V, C); NaN is not drawn.
        title (str): A few short lines.
        color (str, optional): Colour of the title and the frame. Defaults to
            None: black and grey.
        space (str): The coordinate system of the clip. Strips of one space
            show the same part of it. Strips of other spaces are scaled until
            their first clips have bones of one length. Defaults to ``''``.
    """
    clip: np.ndarray
    title: str
    color: Optional[str] = None
    space: str = ''


def pick_frames(num_frames: int, count: int) -> np.ndarray:
    """Pick ``count`` frames evenly from the first to the last one."""
    return np.linspace(0, num_frames - 1, count).round().astype(int)


def bone_length(clip: np.ndarray, layout: Layout) -> float:
    """Compute the mean length of a clip's bones; 1 if none has a length."""
    bones = clip - clip[..., list(layout.bone_starts), :]
    lengths = np.linalg.norm(bones, axis=-1)
    lengths = lengths[lengths > 0]  # without the root and NaN
    return float(lengths.mean()) if len(lengths) else 1.


def bounds(page: np.ndarray) -> Optional[np.ndarray]:
    """Find the area of the page that a clip takes, without odd frames.

    Args:
        page (np.ndarray): Joints on the page, (M, T, V, 2).

    Returns:
        np.ndarray: Lower left and upper right corner, (2, 2); None if the
        page is empty.
    """
    frames = page.transpose(1, 0, 2, 3).reshape(page.shape[1], -1, 2)
    frames = frames[np.isfinite(frames).any(axis=(1, 2))]
    if not len(frames):
        return None
    return np.stack([
        np.percentile(np.nanmin(frames, axis=1), 3, axis=0),
        np.percentile(np.nanmax(frames, axis=1), 97, axis=0)
    ])


class _Page:
    """The area of the page that each strip shows, all at one scale."""

    def __init__(self, strips: Sequence[Strip], layout: Layout,
                 matrix: np.ndarray) -> None:
        self.units: dict[str, float] = {}
        corners: dict[str, np.ndarray] = {}
        for strip in strips:
            if strip.space not in self.units:
                self.units[strip.space] = bone_length(strip.clip, layout)
            box = bounds(strip.clip @ matrix)
            if box is None:
                continue
            known = corners.setdefault(strip.space, np.stack([box, box]))
            known[1] = [
                np.minimum(known[1, 0], box[0]),
                np.maximum(known[1, 1], box[1])
            ]
        self.centers = dict.fromkeys(self.units, np.zeros(2))
        size = np.full(2, 1e-6)
        for space, (first, every) in corners.items():
            # Joints that an augmentation moves far away are cut off, so
            # that the others are large enough to see.
            reach = REACH * np.ptp(first, axis=0).max()
            low, high = every.clip(first[0] - reach, first[1] + reach)
            self.centers[space] = (low + high) / 2
            size = np.maximum(size, (high - low) / self.units[space])
        width, height = size * 1.15
        inner = float(np.clip(WIDTH * height / width, *HEIGHTS))
        # A clip that is wider than the frame makes the scale smaller.
        self.scale = max(width / WIDTH, height / inner)
        self.height = inner + CAPTION_HEIGHT

    def limit(self, axes: Axes, space: str) -> None:
        scale = self.scale * self.units[space]
        x, y = self.centers[space]
        y -= CAPTION_HEIGHT / 2 * scale
        half_width, half_height = WIDTH / 2 * scale, self.height / 2 * scale
        axes.set(
            xlim=(x - half_width, x + half_width),
            ylim=(y - half_height, y + half_height),
            aspect='equal',
            xticks=[],
            yticks=[])


def remark(stick: StickFigure, pose: np.ndarray) -> str:
    """Explain why a pose is not visible; empty if a joint of it is."""
    page = pose @ stick.matrix
    page = page[np.isfinite(page).all(axis=-1)]
    if not len(page):
        return ' nobody'
    (left, right), (bottom, top) = stick.axes.get_xlim(), stick.axes.get_ylim()
    inside = (page > (left, bottom)) & (page < (right, top))
    return '' if inside.all(axis=-1).any() else ' out of the picture'


class StripFigure:
    """A figure with a column for each clip; the frames run downwards.

    Args:
        strips (Sequence[Strip]): The clips.
        layout (Layout): Their layout.
        num_frames (int): Frames to pick evenly from each clip. Defaults to 5.
        rows (int, optional): Frames to show at once, from the first on.
            Defaults to None: all.
        up (str, optional): As in :func:`projection`.
        title (str): Title of the figure. Defaults to ``''``.
        names (bool): Add the names of the joints, on the first clip. Defaults
            to False.

    Attributes:
        figure (Figure): The figure.
        sticks (list[list[StickFigure]]): The stick figures of each row.

    Raises:
        ValueError: If a clip has another layout.
    """

    def __init__(self,
                 strips: Sequence[Strip],
                 layout: Layout,
                 num_frames: int = 5,
                 rows: Optional[int] = None,
                 up: Optional[str] = None,
                 title: str = '',
                 names: bool = False) -> None:
        for strip in strips:
            layout.check(strip.clip.shape, f'clip {strip.title!r}')
        self.strips = strips
        self.num_frames = num_frames
        self.up = up
        self.title = title
        rows = rows or num_frames
        matrix = projection(strips[0].clip.shape[-1], up)
        page = _Page(strips, layout, matrix)

        lines = max(len(strip.title.splitlines()) for strip in strips)
        head = 0.15 + TITLE_HEIGHT * lines + (0.3 if title else 0)
        key = KEY_WIDTH if names else 0.
        width = key + (WIDTH + GAP) * len(strips) + 0.1
        height = head + (page.height + GAP) * rows + 0.1
        self.figure = Figure(figsize=(width, height), dpi=110)
        if title:
            self.figure.suptitle(
                title, y=1 - 0.08 / height, va='top', fontsize=11)
        spaces: set[str] = set()
        self.sticks: list[list[StickFigure]] = []
        self._captions: list[list[Text]] = []
        for row in range(rows):
            sticks, captions = [], []
            top = head + row * (page.height + GAP)
            for column, strip in enumerate(strips):
                left = key + 0.1 + column * (WIDTH + GAP)
                axes = self._add_axes(left, top, WIDTH, page.height)
                page.limit(axes, strip.space)
                axes.spines[:].set(
                    color=strip.color or '#cccccc',
                    linewidth=2 if strip.color else 0.8)
                if row == 0:
                    axes.set_title(
                        strip.title,
                        fontsize=8.5,
                        pad=4,
                        color=strip.color or 'black')
                if strip.space not in spaces:
                    draw_compass(axes, matrix)
                    spaces.add(strip.space)
                sticks.append(
                    StickFigure(axes, layout, matrix, len(strip.clip)))
                captions.append(
                    axes.text(
                        0.03, 0.02, '', transform=axes.transAxes, fontsize=7,
                        color='#777777'))
            self.sticks.append(sticks)
            self._captions.append(captions)
        self.show(0)
        if names:
            axes = self._add_axes(0.1, head, key - 0.2,
                                  min(height - head - 0.1, KEY_HEIGHT))
            draw_joint_key(axes, strips[0].clip, layout, matrix)

    def _add_axes(self, left: float, top: float, width: float,
                  height: float) -> Axes:
        """Add axes at a place in inches from the upper left corner."""
        whole = self.figure.get_size_inches()
        bottom = whole[1] - top - height
        return self.figure.add_axes(
            (left / whole[0], bottom / whole[1], width / whole[0],
             height / whole[1]))

    def show(self, first: int) -> None:
        """Fill the rows with the frames from the ``first`` picked one on."""
        for row, (sticks, captions) in enumerate(
                zip(self.sticks, self._captions), first):
            for strip, stick, caption in zip(self.strips, sticks, captions):
                total = strip.clip.shape[1]
                frame = pick_frames(total, self.num_frames)[row]
                pose = strip.clip[:, frame]
                stick.draw(pose)
                caption.set_text(f'{frame + 1}/{total}{remark(stick, pose)}')

    def frames(self) -> Iterator[int]:
        """Go through the picked frames, one after the other."""
        for first in range(self.num_frames - len(self.sticks) + 1):
            self.show(first)
            yield first
