"""What the converters in ``tools/data`` share."""
import os
import pickle
import signal
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Callable, TypeVar, Union

import numpy as np
from mmengine.utils import ProgressBar

Task = TypeVar('Task')
Result = TypeVar('Result')


def _attempt(func: Callable[[Task], Result],
             task: Task) -> Union[Result, ValueError]:
    # Raised in a worker it would end the tasks that share its chunk too.
    try:
        return func(task)
    except ValueError as error:
        return error


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def track_parallel(
    func: Callable[[Task], Result],
    tasks: Sequence[Task],
    num_workers: int = 1
) -> Generator[Union[Result, ValueError], None, None]:
    """Run tasks in processes, with a progress bar.

    To be closed by who does not take all results; else the processes go on.

    Args:
        func (Callable): Takes a task; a function of a module, if there are
            several workers.
        tasks (Sequence): What to do.
        num_workers (int): Number of processes; 1 stays in this one.
            Defaults to 1.

    Yields:
        Any: The tasks' results in their order; a ``ValueError`` that was
        raised stands for its result.
    """
    attempt = partial(_attempt, func)
    bar = ProgressBar(len(tasks))
    pool = None
    results: Iterable[Union[Result, ValueError]] = map(attempt, tasks)
    try:
        if num_workers > 1:
            pool = ProcessPoolExecutor(
                num_workers, initializer=_leave_interrupts_to_the_parent)
            results = pool.map(attempt, tasks, chunksize=16)
        for result in results:
            bar.update()
            yield result
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        bar.file.write('\n')


def make_annotation(name: str, label: int,
                    keypoint: np.ndarray) -> dict[str, Any]:
    """Make MMAction2's annotation of a clip.

    Args:
        name (str): Name of the clip.
        label (int): Its class, from 0.
        keypoint (np.ndarray): Float32, shape (M, T, V, C).

    Returns:
        dict: ``frame_dir``, ``label``, ``total_frames`` and ``keypoint``.
    """
    # An array from another process brings a dtype object of its own, which
    # would be pickled anew: the bytes would tell how many workers there were.
    return dict(
        frame_dir=name,
        label=label,
        total_frames=keypoint.shape[1],
        keypoint=keypoint.view(np.float32))


def save_annotations(data: dict[str, Any], path: Path) -> None:
    """Write a pickle; ``path`` holds the old file or the whole new one.

    Args:
        data (dict): ``split`` and ``annotations``.
        path (Path): File to write. Its folder is made if need be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with open(part, 'wb') as f:
            # Fixed: same data, same bytes. Below 5 every array is copied and
            # kept until the end.
            pickle.dump(data, f, protocol=5)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def summarize(data: dict[str, Any],
              skipped: Sequence[tuple[str, str]] = ()) -> str:
    """Say what is in a set of annotations and what is not.

    Args:
        data (dict): ``split`` and ``annotations``.
        skipped (Sequence): Name and reason of each clip that was left out.
            Defaults to ().

    Returns:
        str: A few lines.
    """
    clips = data['annotations']
    shapes = [clip['keypoint'].shape for clip in clips]
    lines = [
        f'{len(clips)} clips, {len({clip["label"] for clip in clips})} '
        f'classes, {sum(shape[1] for shape in shapes)} frames, '
        f'{sum(shape[0] for shape in shapes)} bodies',
        ', '.join(f'{len(names)} {split}'
                  for split, names in data['split'].items()),
        f'{len(skipped)} skipped'
    ]
    reasons: dict[str, list[str]] = {}
    for name, reason in skipped:
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        line = f'  {len(names)}: {reason}'
        if names[0] not in reason:  # an error names the file itself
            line += f' ({names[0]}{", ..." if len(names) > 1 else ""})'
        lines.append(line)
    return '\n'.join(lines)
