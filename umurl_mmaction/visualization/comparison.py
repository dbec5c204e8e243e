"""Accuracies of methods and encoders, side by side."""
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from ..evaluation.metric_names import RAW_JOINTS
from .style import PALETTE, faint_grid, plain_axes

PANEL_WIDTH = 2.6  # inches
LABEL_WIDTH = 2.6
ROW_HEIGHT = 0.26


def draw_comparison(rows: Sequence[Mapping[str, Any]],
                    columns: Sequence[str]) -> Figure:
    """Draw a panel for each column, with a line for each row.

    Points are seeds, strokes are means, and a dotted line is where the raw
    joints are.

    Args:
        rows (sequence of dict): Each with ``method``, ``encoder``, ``mean``
            and ``scores`` of each seed, within 0..1.
        columns (sequence of str): Names of accuracies.
    """
    encoders = list(dict.fromkeys(row['encoder'] for row in rows))
    colors = {x: PALETTE[i % 10] for i, x in enumerate(encoders)}
    figure = Figure(
        figsize=(LABEL_WIDTH + PANEL_WIDTH * len(columns),
                 ROW_HEIGHT * len(rows) + 0.7),
        dpi=110,
        layout=ConstrainedLayoutEngine(w_pad=0.08))
    grid = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    names = [
        ', '.join(filter(None, (row['method'], row['encoder'])))
        for row in rows
    ]
    places = range(len(rows))
    for axes, column in zip(grid, columns):
        means = [row['mean'][column] for row in rows]
        seeds = [[x[column] for x in row['scores'].values()] for row in rows]
        for place, values, row in zip(places, seeds, rows):
            axes.plot(
                values, [place] * len(values),
                '.',
                color=colors[row['encoder']],
                markersize=6)
        for place, row, mean in zip(places, rows, means):
            axes.plot(
                mean,
                place,
                '|',
                color=colors[row['encoder']],
                markersize=12,
                markeredgewidth=2)
            if row['method'] == RAW_JOINTS:
                axes.axvline(
                    mean, color='#555555', linestyle=':', linewidth=1.2)
        axes.set_title(column, fontsize=10)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.tick_params(labelsize=9)
        faint_grid(axes)
        plain_axes(axes)
    grid[0].set_yticks(places, names)
    grid[0].invert_yaxis()
    return figure
