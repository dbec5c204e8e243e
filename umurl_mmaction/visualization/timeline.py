"""What is found along recordings: moments like a query, and classes."""
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..apis.search import Moment
from ..apis.windows import Window
from .class_names import ClassNames
from .style import plain_axes, shorten

MAX_PANELS = 12
# In inches: a panel, and what stands around all.
WIDTH, HEIGHT, MARGIN = 8.0, 0.85, 0.9
MOMENT_COLOR, QUERY_COLOR = '#d95f02', '#1f78b4'
HATCHES = ('', '//', '..', 'xx')


class Curve(NamedTuple):
    """A number for each window of a recording.

    Args:
        frames (np.ndarray): First frame, and that after the last, of each
            window, (G, 2).
        values (np.ndarray): The numbers, (G, ).
    """
    frames: np.ndarray
    values: np.ndarray


def draw_moments(curves: Mapping[str, Curve],
                 moments: Sequence[Moment],
                 query: Optional[Window] = None,
                 title: str = '') -> Figure:
    """Draw how like a query the windows are, and mark the moments found.

    Args:
        curves (dict[str, Curve]): The cosines, by recording. The recordings
            without a moment are left out, and so are those beyond 12; the
            picture says so.
        moments (sequence of Moment): The most similar first.
        query (Window, optional): Marked too if its recording is drawn.
        title (str): Defaults to ``''``.
    """
    order = list(dict.fromkeys(x.window.recording for x in moments))
    shown = order[:MAX_PANELS]
    lines = [title] if title else []
    if len(order) > len(shown):
        lines.append(f'{len(shown)} of {len(order)} recordings with a moment')
    figure, panels = _panels(shown, [curves[name].frames for name in shown],
                             lines)
    values = np.concatenate([curves[name].values for name in shown])
    low, high = float(values.min()), float(values.max())
    reach = 0.05 * max(high - low, 1e-3)
    for axes, name in zip(panels, shown):
        frames, cosines = curves[name]
        axes.plot(
            frames.mean(axis=1), cosines, color='#444444', linewidth=0.8,
            marker='.' if len(cosines) < 60 else '', markersize=3)
        # Room for the ranks.
        axes.set_ylim(low - reach, high + 7 * reach)
        marks = [(str(rank), moment.window, MOMENT_COLOR)
                 for rank, moment in enumerate(moments, 1)]
        if query is not None:
            marks.append(('query', query, QUERY_COLOR))
        for text, (recording, start, stop), color in marks:
            if recording != name:
                continue
            axes.axvspan(start, stop, color=color, alpha=0.3, lw=0)
            axes.text(
                (start + stop) / 2, high + 6 * reach, text, va='top',
                ha='center', fontsize=8, fontweight='bold', color=color)
    panels[len(panels) // 2].set_ylabel('cosine to the query', fontsize=8)
    return figure


def frame_scores(frames: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average the scores of all windows that a frame is in.

    Args:
        frames (np.ndarray): First frame, and that after the last, of each
            window, (G, 2).
        scores (np.ndarray): (G, num_classes).

    Returns:
        np.ndarray: (T, num_classes), float64; NaN for a frame that is in no
        window. T is where the last window ends.
    """
    T = int(frames[:, 1].max())
    change = np.zeros((T + 1, 1 + scores.shape[1]))
    row = np.concatenate([np.ones((len(scores), 1)), scores], axis=1)
    np.add.at(change, frames[:, 0], row)
    np.subtract.at(change, frames[:, 1], row)
    count, total = np.split(change.cumsum(axis=0)[:T], [1], axis=1)
    covered = count.round() > 0
    return np.where(covered, total / np.where(covered, count, 1), np.nan)


def class_stretches(
        scores: np.ndarray) -> list[tuple[int, int, int, float]]:
    """Find the stretches of frames that have one class.

    Args:
        scores (np.ndarray): (T, num_classes), from :func:`frame_scores`.

    Returns:
        list[tuple[int, int, int, float]]: First frame, the one after the
        last, label and mean score of each stretch. Frames in no window are
        in none.
    """
    known = np.isfinite(scores).all(axis=1)
    labels = np.where(known, np.where(known[:, None], scores, 0).argmax(1), -1)
    ends = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
    return [(int(start), int(stop), int(labels[start]),
             float(scores[start:stop, labels[start]].mean()))
            for start, stop in zip(ends, ends[1:]) if labels[start] >= 0]


def draw_classes(windows: Mapping[str, tuple[np.ndarray, np.ndarray]],
                 names: ClassNames) -> Figure:
    """Draw the class of each frame of recordings, and its score.

    Args:
        windows (dict[str, tuple[np.ndarray, np.ndarray]]): Frames (G, 2) and
            scores (G, num_classes) of the windows, by recording. Recordings
            beyond 12 are left out; the picture says so.
        names (ClassNames): Names of the classes.
    """
    shown = list(windows)[:MAX_PANELS]
    scores = {name: frame_scores(*windows[name]) for name in shown}
    found = {name: class_stretches(scores[name]) for name in shown}
    labels = sorted({x[2] for stretches in found.values() for x in stretches})
    palette = colormaps['tab10' if len(labels) <= 10 else 'tab20']
    # Colours come again; strokes tell them apart.
    styles: dict[int, dict[str, Any]] = {
        label: dict(
            facecolor=palette(i % palette.N),
            edgecolor='#555555',
            hatch=HATCHES[i // palette.N % len(HATCHES)],
            alpha=0.45,
            lw=0)
        for i, label in enumerate(labels)
    }
    lines = []
    if len(windows) > len(shown):
        lines.append(f'{len(shown)} of {len(windows)} recordings')
    columns = max(1, int(WIDTH * 14 / (6 + max(
        (len(names[label]) for label in labels), default=1))))
    rows = -(-len(labels) // columns)
    figure, panels = _panels(shown, [windows[name][0] for name in shown],
                             lines, 0.25 * rows)
    top = max(1.0, *(float(np.nanmax(x)) for x in scores.values()))
    for axes, name in zip(panels, shown):
        axes.set_ylim(0, 1.05 * top)
        for start, stop, label, _ in found[name]:
            axes.axvspan(start, stop, **styles[label])
            axes.plot(
                np.arange(start, stop) + 0.5, scores[name][start:stop, label],
                color='#333333', linewidth=0.9)
    panels[len(panels) // 2].set_ylabel('score', fontsize=8)
    figure.legend(
        handles=[
            Patch(**styles[label], label=names[label])
            for label in labels
        ],
        loc='outside lower center',
        ncols=columns,
        frameon=False,
        fontsize=8)
    return figure


def _panels(names: Sequence[str], frames: Sequence[np.ndarray],
            lines: Sequence[str],
            more: float = 0.) -> tuple[Figure, list[Axes]]:
    """Make a panel for each recording, all on one scale of frames."""
    height = HEIGHT * len(names) + MARGIN + 0.2 * len(lines) + more
    figure = Figure(
        figsize=(WIDTH, height), dpi=110, layout='constrained')
    if lines:
        figure.suptitle('\n'.join(lines), fontsize=9)
    panels = list(
        figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0])
    for axes, name, rows in zip(panels, names, frames):
        axes.set_title(shorten(name, 80), fontsize=8, loc='left', pad=2)
        axes.tick_params(labelsize=7)
        plain_axes(axes)
        # Where the recording ends, on the scale of the longest.
        axes.axvline(rows[:, 1].max(), color='#bbbbbb', linewidth=0.8)
    panels[0].set_xlim(0, max(int(rows[:, 1].max()) for rows in frames))
    panels[-1].set_xlabel('frame', fontsize=8)
    return figure, panels
