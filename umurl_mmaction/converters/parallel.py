import signal
import sys
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Callable, TypeVar, Union

from mmengine.utils import ProgressBar

from ..progress import bar_file

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
    """Run tasks in processes, with a progress bar on a terminal.

    A caller that does not take all results must close the generator; else
    the processes go on.

    Args:
        func (Callable): Takes a task; a function of a module, if there are
            several workers.
        tasks (Sequence): The tasks.
        num_workers (int): Number of processes; 1 stays in this one.
            Defaults to 1.

    Yields:
        Any: The tasks' results in their order; a ``ValueError`` that was
        raised stands for its result.
    """
    attempt = partial(_attempt, func)
    bar = ProgressBar(len(tasks), file=bar_file(sys.stdout))
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
