"""Training curves of runs."""
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import TABLEAU_COLORS
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

PANEL = (4.6, 3.2)  # inches
MAX_COLUMNS = 3

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
