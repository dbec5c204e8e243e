"""Strips of stick figures as a picture, an animation or a page."""
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import FFMpegWriter, PillowWriter

from ..fileio.atomic import replacing, write_text
from .player import PAGE
from .saving import save_figure
from .stick_figure import AZIMUTH, ELEVATION, viewer
from .strips import StripFigure, pick_frames

FORMATS = ('png', 'gif', 'mp4', 'html')
FPS = 12
# Digits of a coordinate in a page: a millimetre of a metre, and pixels.
DIGITS = 4


def check_format(name: str) -> None:
    """Raise ``ValueError`` if a format cannot be written here."""
    if name not in FORMATS:
        raise ValueError(f'format {name!r} must be one of '
                         f'{", ".join(FORMATS)}')
    if name == 'mp4' and not FFMpegWriter.isAvailable():
        raise ValueError('mp4 needs ffmpeg, which is not there: install it, '
                         'or choose gif or html')


def save_strips(strips: StripFigure, path: Path) -> None:
    """Write strips to a file; the suffix sets the format.

    Args:
        strips (StripFigure): Of one row for all formats but ``.png``.
        path (Path): ``.png``; ``.gif`` or ``.mp4``, an animation of 12 frames
            a second; or ``.html``, a page of its own that plays the frames
            and can be turned, and needs no other file.

    Raises:
        ValueError: If there is no such format, or no ffmpeg for ``.mp4``.
    """
    name = path.suffix[1:]
    check_format(name)
    if name == 'png':
        save_figure(strips.figure, path)
    elif name == 'html':
        write_text(path, make_page(strips, path.stem))
    else:
        kind: Any = PillowWriter if name == 'gif' else FFMpegWriter
        writer = kind(fps=FPS)
        with replacing(path) as temporary, writer.saving(
                strips.figure, str(temporary), 80):
            for _ in strips.frames():
                writer.grab_frame()
        strips.show(0)


def make_page(strips: StripFigure, title: str) -> str:
    """Make an HTML page that plays the picked frames of strips.

    Args:
        strips (StripFigure): The strips.
        title (str): Title of the page, if the figure has none.
    """
    stick = strips.sticks[0][0]
    matrix = stick.matrix
    data: dict[str, Any] = dict(
        title=strips.title or title,
        fps=FPS,
        bones=stick.pairs,
        colors=[stick.colors(0), stick.colors(1)],
        matrix=matrix.tolist(),
        strips=[])
    if len(matrix) == 3:
        data.update(viewer=viewer(strips.up), angles=[AZIMUTH, ELEVATION])
    for strip, stick in zip(strips.strips, strips.sticks[0]):
        frames = pick_frames(strip.clip.shape[1], strips.num_frames)
        # (T, M, V, C)
        poses = strip.clip[:, frames].transpose(1, 0, 2, 3)
        seen = poses[np.isfinite(poses).all(axis=-1)]
        data['strips'].append(
            dict(
                title=strip.title,
                color=strip.color,
                numbers=[f'{i + 1}/{strip.clip.shape[1]}' for i in frames],
                # A page is turned about the middle of the clip.
                center=_plain(seen.mean(axis=0) if len(seen) else
                              np.zeros(len(matrix))),
                xlim=stick.axes.get_xlim(),
                ylim=stick.axes.get_ylim(),
                poses=_plain(poses)))
    # Nothing in a text can end the element that holds it.
    text = json.dumps(data, separators=(',', ':')).replace('<', '\\u003c')
    return PAGE.replace('DATA', text)


def _plain(array: np.ndarray) -> Any:
    """Make nested lists of short numbers, None for a joint that is hidden."""
    if array.ndim > 1:
        return [_plain(item) for item in array]
    if not np.isfinite(array).all():
        return None
    return [float(f'{x:.{DIGITS}g}') for x in array]
