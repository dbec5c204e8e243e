"""Training curves from MMEngine's logs."""
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import TABLEAU_COLORS
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ..run_logs import read_records

PANEL = (4.6, 3.2)  # inches
MAX_COLUMNS = 3

Curve = list[tuple[float, float]]


def read_run(run: Path) -> dict[str, Curve]:
    """The curves of a run, a resumed one as if it had not been stopped.

    What was done again after the last checkpoint, or from the beginning,
    counts in its last version.

    Args:
        run (Path): Its ``work_dir``, or one log.

    Returns:
        dict[str, list[tuple[float, float]]]: Name of a scalar -> iteration
        and value. A validation is at the iteration of the last record of
        training before it.

    Raises:
        ValueError: If there is no log, or one cannot be read.
    """
    curves: dict[str, Curve] = {}
    for step, record in read_records(run):
        for name, value in record.items():
            if name not in ('step', 'iter') and isinstance(
                    value, (int, float)):
                curves.setdefault(name, []).append((step, value))
    if not curves:
        raise ValueError(f'{run}: no step of training is logged')
    return curves


def choose_names(runs: Iterable[Mapping[str, Curve]],
                 wanted: Sequence[str]) -> list[str]:
    """The scalars to draw: all losses and top-1 accuracies, if none is asked
    for.

    Raises:
        ValueError: If no run has one that is asked for.
    """
    known = list(dict.fromkeys(name for run in runs for name in run))
    for name in wanted:
        if name not in known:
            raise ValueError(f'no run has logged {name!r}; logged are '
                             f'{", ".join(known)}')
    return list(wanted) or [
        name for name in known
        if name.startswith('loss') or name.endswith('/top1')
    ]


def epoch_length(run: Mapping[str, Curve]) -> float:
    """Iterations of an epoch: the last one of epoch e is e times as many.

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

    Args:
        runs (dict[str, dict]): Name of a run -> its curves.
        names (sequence of str): The scalars.
        by_epoch (bool): Whether to count epochs rather than iterations.
            Defaults to False.

    Returns:
        Figure: The figure.
    """
    columns = min(MAX_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(
        figsize=(PANEL[0] * columns, PANEL[1] * rows + 0.35),
        dpi=110,
        layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1))
    palette = list(TABLEAU_COLORS.values())
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(names):]:
        axes.remove()
    for axes, name in zip(grid, names):
        for i, (run, curves) in enumerate(runs.items()):
            points = np.array(curves.get(name, [])).reshape(-1, 2)
            points[:, 0] /= epoch_length(curves) if by_epoch else 1.
            style = '-' if len(points) > 40 else '.-'
            axes.plot(
                *points.T,
                style,
                color=palette[i % 10],
                linewidth=1.4,
                markersize=5,
                label=run)
        axes.set_title(name, fontsize=11)
        axes.set_xlabel('epoch' if by_epoch else 'iteration')
        axes.grid(color='#e5e5e5', linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
    figure.legend(
        handles=grid[0].get_lines(),
        loc='outside lower center',
        ncols=min(len(runs), 2 * columns),
        frameon=False)
    return figure
