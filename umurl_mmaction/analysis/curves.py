"""Curves of runs, from their logs."""
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .run_logs import read_records

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
