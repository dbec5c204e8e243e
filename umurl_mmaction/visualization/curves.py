"""Training curves of runs."""
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ..evaluation.metric_names import RAW_JOINTS, RAW_JOINTS_SCORE
from .style import PALETTE, faint_grid, plain_axes

# Three in a row fill the width of a page, where text keeps its size.
PANEL = (3.1, 2.3)  # inches
MAX_COLUMNS = 3
RETRIEVAL = 'retrieval/'
LINES = ('-', '--', '-.')

Curve = list[tuple[float, float]]


def epoch_length(run: Mapping[str, Curve]) -> float:
    """Find the number of iterations in an epoch.

    Args:
        run (dict[str, list]): Curves of a run, with ``epoch`` among them.

    Raises:
        ValueError: If the run does not count epochs.
    """
    if 'epoch' not in run:
        raise ValueError('a run was not logged by epoch; its curves can only '
                         'be drawn over iterations')
    return max(step / epoch for step, epoch in run['epoch'])


def draw_curves(runs: Mapping[str, Mapping[str, Curve]],
                names: Sequence[str],
                by_epoch: bool = False) -> Figure:
    """Draw a panel for each scalar, with a line for each run.

    Panels of retrieval have one scale, and a dotted line where the raw joints
    are.

    Args:
        runs (dict[str, dict]): The curves of each run, by its name.
        names (sequence of str): The scalars.
        by_epoch (bool): Count epochs instead of iterations. Defaults to
            False.

    Raises:
        ValueError: If ``by_epoch`` is set and a run does not count epochs.
    """
    columns = min(MAX_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(
        figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.35),
        dpi=110,
        layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(names):]:
        axes.remove()
    handles: dict[str, Line2D] = {}
    retrieval = []
    for axes, name in zip(grid, names):
        for i, (run, curves) in enumerate(runs.items()):
            points = np.array(curves.get(name, [])).reshape(-1, 2)
            points[:, 0] /= epoch_length(curves) if by_epoch else 1.
            # Colours come again after ten runs.
            line = LINES[i // 10 % len(LINES)]
            style = line if len(points) > 40 else f'.{line}'
            handles[run], = axes.plot(
                *points.T,
                style,
                color=PALETTE[i % 10],
                linewidth=1.4,
                markersize=5,
                label=run)
            if name.startswith(RETRIEVAL) and RAW_JOINTS_SCORE in curves:
                axes.axhline(
                    curves[RAW_JOINTS_SCORE][-1][1],
                    color=PALETTE[i % 10],
                    linestyle=':',
                    linewidth=1.4)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel('epoch' if by_epoch else 'iteration', fontsize=9)
        axes.tick_params(labelsize=9)
        axes.xaxis.set_major_locator(
            MaxNLocator(5, integer=True, min_n_ticks=1))
        if name.startswith(RETRIEVAL):
            retrieval.append(axes)
        if name.endswith('top1'):
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        faint_grid(axes)
        plain_axes(axes)
    limits = [limit for axes in retrieval for limit in axes.get_ylim()]
    for axes in retrieval:
        axes.set_ylim(min(limits), max(limits))
    if retrieval and any(RAW_JOINTS_SCORE in x for x in runs.values()):
        handles[RAW_JOINTS] = Line2D([], [], color='#555555', linestyle=':',
                                     label=RAW_JOINTS)
    longest = max(map(len, handles))
    figure.legend(
        handles=list(handles.values()),
        loc='outside lower center',
        ncols=max(1, min(len(handles), 36 * columns // (longest + 5))),
        frameon=False,
        fontsize=9)
    return figure
