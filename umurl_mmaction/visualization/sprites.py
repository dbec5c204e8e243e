"""Small stick figures of many clips in one image."""
import math
from collections.abc import Sequence
from typing import Optional

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..skeleton.layout import Layout
from .limbs import joint_colors
from .stick_figure import pale, projection

# Pixels: the side of a sprite, and of the largest image that TensorBoard
# shows.
SIDE, LARGEST = 48, 8192
DPI = 100


def draw_sprites(clips: Sequence[np.ndarray],
                 layout: Layout,
                 up: Optional[str] = None) -> np.ndarray:
    """Draw a frame of each clip, as large as its square allows.

    It is the middle one of the frames in which somebody is.

    Args:
        clips (sequence of np.ndarray): N clips, (M, T, V, C) each; NaN is not
            drawn.
        layout (Layout): Their layout.
        up (str, optional): As in :func:`projection`.

    Returns:
        np.ndarray: (N, S, S, 3), uint8; S is 48, or less for more than 28,900
        clips.
    """
    columns = math.ceil(math.sqrt(len(clips)))
    side = min(SIDE, LARGEST // columns)
    ends = [v for v, parent in enumerate(layout.parents) if parent != -1]
    starts = [layout.parents[v] for v in ends]
    full = joint_colors(layout)
    of_body = [[full[v] for v in ends], [pale(full[v]) for v in ends]]
    lines, colors = [], []
    for i, clip in enumerate(clips):
        row, column = divmod(i, columns)
        frames = np.flatnonzero(np.isfinite(clip).all(-1).any(axis=(0, 2)))
        if not len(frames):
            continue
        middle = frames[len(frames) // 2]
        pose = clip[:, middle] @ projection(clip.shape[-1], up)
        seen = pose[np.isfinite(pose).all(axis=-1)]
        low, high = seen.min(axis=0), seen.max(axis=0)
        scale = 0.86 / max(float((high - low).max()), 1e-6)
        # Squares run downwards, the page upwards.
        page = (pose - (low + high) / 2) * scale + (column + .5, -row - .5)
        # The first body is drawn last, so that nothing covers it.
        for body in reversed(range(len(page))):
            lines += list(zip(page[body, starts], page[body, ends]))
            colors += of_body[min(body, 1)]
    inches = columns * side / DPI
    figure = Figure(figsize=(inches, inches), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, columns), ylim=(-columns, 0))
    axes.axis('off')
    axes.add_collection(
        LineCollection(
            lines, colors=colors, linewidths=side / 30))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3]
    squares = image.reshape(columns, side, columns, side, 3).swapaxes(1, 2)
    return squares.reshape(-1, side, side, 3)[:len(clips)].copy()
