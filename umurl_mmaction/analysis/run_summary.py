"""A summary of runs, from the logs and configs in their folders."""
import ast
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..evaluation.metric_names import RAW_JOINTS_SCORE
from .markdown import percent, table
from .run_logs import Record, check_numbers, read_records

# The line that CommitHook logs.
COMMIT = re.compile(
    r'\b(?:git commit: ([0-9a-f]{7,40}(?:-dirty)?)'
    r'|umurl_mmaction version: (v[\w.+]+))$', re.MULTILINE)


@dataclass(frozen=True)
class Score:
    """The last and the best accuracy of the validations, within 0..1."""
    last: float
    best: float


@dataclass(frozen=True)
class RunSummary:
    """A row of the table.

    Attributes:
        run (str): Folder of the run.
        config (str, optional): Name of its config.
        commit (str, optional): Git commit of the code, if it is logged;
            ``-dirty`` if files of the code had been changed. Of an installed
            package its version, such as ``v0.1.0``.
        epochs (int, optional): Epochs that are logged.
        max_epochs (int, optional): Epochs that the config asks for.
        iterations (int): Iterations that are logged; 0 for a test.
        losses (dict[str, float]): The last value of each term.
        val (dict[str, Score]): Top-1 accuracies of the validations, those of
            retrieval included, and that of the raw joints.
        untrained (dict[str, float]): Top-1 accuracies of retrieval with the
            encoder before its training. No checkpoint has them, so that they
            are neither the last nor the best of ``val``.
        test (dict[str, float]): Top-1 accuracies of the last test.
        seconds (float, optional): Time of the training iterations, without
            validations; repeated iterations count once.
    """
    run: str
    config: Optional[str]
    commit: Optional[str]
    epochs: Optional[int]
    max_epochs: Optional[int]
    iterations: int
    losses: dict[str, float]
    val: dict[str, Score]
    untrained: dict[str, float]
    test: dict[str, float]
    seconds: Optional[float]


def find_runs(folder: Path) -> list[Path]:
    """Find the runs in a folder: a ``work_dir``, or a folder of several.

    Returns:
        list[Path]: Folders with logs of a training or a test, in the order
        of their names.

    Raises:
        ValueError: If there is none.
    """
    if not folder.is_dir():
        raise ValueError(f'{folder}: there is no such folder')
    runs = {path.parents[2] for path in folder.rglob('*/vis_data/*.json')}
    runs |= {path.parents[1] for path in folder.rglob('*/[0-9]*.json')
             if path.stem == path.parent.name}
    if not runs:
        raise ValueError(f'{folder}: there is no run in it, no '
                         '<timestamp>/vis_data/*.json of a training and no '
                         '<timestamp>/<timestamp>.json of a test')
    return sorted(runs)


def summarize_run(run: Path) -> RunSummary:
    """Summarize the run of a ``work_dir``; a resumed run is one row.

    Raises:
        ValueError: If a log or the config cannot be read.
    """
    records = read_records(run) if any(run.glob('*/vis_data/*.json')) else []
    training = [record for _, record in records if 'iter' in record]
    last = training[-1] if training else {}
    config = _newest_config(run)
    val, untrained = _scores(
        record for _, record in records if 'iter' not in record)
    return RunSummary(
        run=str(run),
        config=config.stem if config else None,
        commit=_commit(run),
        epochs=last.get('epoch'),
        max_epochs=_max_epochs(config) if config and training else None,
        iterations=last.get('step', 0),
        losses={x: last[x] for x in last if x.startswith('loss')},
        val=val,
        untrained=untrained,
        test=_last_test(run),
        seconds=_seconds(training) if training else None)


def _scores(
        records: Iterable[Record]
) -> tuple[dict[str, Score], dict[str, float]]:
    """Return the scores of validations, and those of untrained encoders."""
    curves: dict[str, list[float]] = {}
    untrained: dict[str, float] = {}
    for record in records:
        scores = _accuracies(record)
        # The step alone does not tell: older logs have 0 for validations, too.
        if not record['step'] and RAW_JOINTS_SCORE in scores:
            raw = scores.pop(RAW_JOINTS_SCORE)
            untrained, scores = scores, {RAW_JOINTS_SCORE: raw}
        for name, value in scores.items():
            curves.setdefault(name, []).append(value)
    return {x: Score(y[-1], max(y)) for x, y in curves.items()}, untrained


def _accuracies(record: Record) -> dict[str, float]:
    return {name: record[name] for name in record if name.endswith('top1')}


def _seconds(training: Sequence[Record]) -> float:
    # A record has the mean time of the iterations since the last record.
    seconds, done = 0., 0
    for record in training:
        seconds += (record['step'] - done) * record.get('time', 0)
        done = record['step']
    return seconds


def _last_test(run: Path) -> dict[str, float]:
    paths = [
        path for path in run.glob('*/[0-9]*.json')
        if path.stem == path.parent.name
    ]
    if not paths:
        return {}
    path = max(paths)
    try:
        scores = _accuracies(json.loads(path.read_bytes()))
        check_numbers(scores, 'test')
        return scores
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f'{path}: {error}') from error


def _newest_config(run: Path) -> Optional[Path]:
    # A Runner writes a copy of its config at each start.
    return max(
        run.glob('*.py'), key=lambda path: path.stat().st_mtime, default=None)


def _max_epochs(path: Path) -> Optional[int]:
    """Read ``train_cfg`` of a config without running it.

    A Runner dumps its config as assignments of dicts and plain values.
    """
    try:
        module = ast.parse(path.read_bytes())
    except (MemoryError, RecursionError, SyntaxError, ValueError) as error:
        raise ValueError(f'{path}: {error}') from error
    for statement in module.body:
        if isinstance(statement, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == 'train_cfg'
                for target in statement.targets):
            return _integer(statement.value, 'max_epochs')
    return None


def _integer(node: ast.expr, key: str) -> Optional[int]:
    """Return an entry of ``dict(...)`` or ``{...}`` if it is an integer."""
    values: list[Optional[ast.expr]] = []
    if isinstance(node, ast.Call):
        values = [x.value for x in node.keywords if x.arg == key]
    elif isinstance(node, ast.Dict):
        values = [
            value for name, value in zip(node.keys, node.values)
            if isinstance(name, ast.Constant) and name.value == key
        ]
    for value in values:
        if isinstance(value, ast.Constant) and type(value.value) is int:
            return value.value
    return None


def _commit(run: Path) -> Optional[str]:
    for path in sorted(run.glob('*/*.log'), reverse=True):
        text = path.read_text(encoding='utf-8', errors='replace')
        found = COMMIT.search(text)
        if found:
            return found[1] or found[2]
    return None


def _score(score: Optional[Score], untrained: Optional[float]) -> str:
    before = '' if untrained is None else f'untrained {percent(untrained)}'
    if score is None:
        return before or '-'
    best = '' if score.last == score.best else f'best {percent(score.best)}'
    notes = ', '.join(filter(None, (best, before)))
    return percent(score.last) + (f' ({notes})' if notes else '')


def _duration(seconds: Optional[float]) -> str:
    if seconds is None:
        return '-'
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes // 60}:{minutes % 60:02}:{rest:02}'


def _epochs(row: RunSummary) -> str:
    if row.epochs is None:
        return f'{row.iterations} iterations' if row.iterations else '-'
    if row.max_epochs in (None, row.epochs):
        return str(row.epochs)
    return f'{row.epochs} of {row.max_epochs}'


def to_markdown(rows: Sequence[RunSummary]) -> str:
    """Make a Markdown table of runs, with accuracies in percent."""

    def names(*fields: str) -> list[str]:
        return list(dict.fromkeys(
            x for row in rows for field in fields for x in getattr(row, field)
        ))

    losses, test = names('losses'), names('test')
    # A run that was stopped early has no more than the untrained ones.
    val = names('val', 'untrained')
    head = [
        'run', 'config', 'commit', 'epochs', *losses,
        *(f'{name}, %' for name in val), *(f'test {name}, %' for name in test),
        'training, h:m:s'
    ]
    lines = [
        [
            row.run, row.config or '-', row.commit or '-', _epochs(row),
            *(f'{row.losses[x]:.4g}' if x in row.losses else '-'
              for x in losses),
            *(_score(row.val.get(x), row.untrained.get(x)) for x in val),
            *(percent(row.test[x]) if x in row.test else '-'
              for x in test), _duration(row.seconds)
        ] for row in rows
    ]
    return table(head, lines, num_texts=3)
