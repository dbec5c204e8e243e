"""Curves of runs, from their logs."""
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..evaluation.metric_names import RAW_JOINTS_SCORE
from ..visualization.curves import Curve
from .run_logs import read_records


def read_run(run: Path) -> dict[str, Curve]:
    """Read the curves of a run; a resumed run is one curve.

    Args:
        run (Path): As in :func:`read_records`.

    Returns:
        dict[str, list[tuple[float, float]]]: Iterations and values of each
        scalar by name.

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
    """Choose the scalars to draw.

    Args:
        runs (iterable of dict): Curves of each run.
        wanted (sequence of str): Names. Without any, all losses, top-1
            accuracies (those of retrieval included) and measures of collapse
            are chosen, but not raw joints, which are a line in the panels of
            retrieval.

    Raises:
        ValueError: If no run has a wanted one.
    """
    known = list(dict.fromkeys(name for run in runs for name in run))
    for name in wanted:
        if name not in known:
            raise ValueError(f'no run has logged {name!r}; logged are '
                             f'{", ".join(known)}')
    groups = [
        [name for name in known if name.startswith('loss')],
        [name for name in known
         if name.endswith('top1') and name != RAW_JOINTS_SCORE],
        [name for name in known if name.startswith('collapse/')]
    ]
    return list(wanted) or [name for group in groups for name in group]
