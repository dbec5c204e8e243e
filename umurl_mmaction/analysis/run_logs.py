"""MMEngine's JSON logs of a run, also of a resumed one."""
import json
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def check_numbers(record: Record, where: str) -> None:
    """Raise ``ValueError`` if a value that tables and curves use is none."""
    for name, value in record.items():
        used = name in ('step', 'iter', 'epoch', 'time') or (
            name.startswith('loss') or name.endswith('top1'))
        if used and type(value) not in (
                (int, ) if name == 'step' else (int, float)):
            raise ValueError(f'{where}: expected a number as {name}, got '
                             f'{value!r:.40}')


def read_lines(path: Path) -> list[Record]:
    """Read the JSON object of each line, without a last line that is cut off.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If another line is no object, or a value no number.
    """
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError:
        raise ValueError(f'{path}: it is no text') from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # the run continues, or was killed
                break
            raise ValueError(f'{path}: line {number}: {error}') from error
        if not isinstance(record, dict):
            raise ValueError(f'{path}: line {number}: expected an object, got '
                             f'{line[:40]!r}')
        check_numbers(record, f'{path}: line {number}')
        records.append(record)
    return records


def find_logs(run: Path) -> list[Path]:
    """Find the logs of a run, one for each start, the oldest first.

    Args:
        run (Path): Its ``work_dir``, or one log.

    Raises:
        ValueError: If there is none.
    """
    if run.is_file():
        return [run]
    logs: dict[Path, Path] = {}
    # LoggerHook and LocalVisBackend write the same records.
    for pattern in ('*/vis_data/[0-9]*.json', '*/vis_data/scalars.json'):
        for path in sorted(run.glob(pattern)):
            logs[path.parent] = path
    if not logs:
        raise ValueError(f'{run}: there is no <timestamp>/vis_data/*.json')
    return [logs[folder] for folder in sorted(logs)]


def read_records(run: Path) -> list[tuple[int, Record]]:
    """Read all records of a run; a resumed run is one list.

    An iteration that was repeated after a stop counts once: the last record
    of it is kept.

    Args:
        run (Path): Its ``work_dir``, or one log.

    Returns:
        list[tuple[int, dict]]: Iteration and record; those of training have
        ``iter``. A validation has the iteration of the last training record
        before it.

    Raises:
        ValueError: If there is no log, or one cannot be read.
    """
    merged: list[tuple[int, Record]] = []
    for log in find_logs(run):
        records = [x for x in read_lines(log) if 'step' in x]
        steps = [x['step'] for x in records if 'iter' in x]
        if not steps:
            continue
        # What is measured before training, at step 0, begins a run anew.
        step = min(steps[0], *(x['step'] for x in records))
        step = steps[0] if step else 0
        merged = [point for point in merged if point[0] < step]
        for record in records:
            # A validation counts its own steps, such as epochs; the monitor
            # of collapse counts iterations.
            step = record['step'] if 'iter' in record else step
            own = any(name.startswith('collapse/') for name in record)
            merged.append((record['step'] if own else step, record))
    return merged
