"""MMEngine's progress bars, drawn on terminals only."""
import io
import sys
from collections.abc import Iterator, Sequence
from typing import Optional, TextIO, TypeVar

from mmengine.utils import track_iter_progress

Task = TypeVar('Task')


class _Nowhere(io.TextIOBase):
    """A file that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def bar_file(file: Optional[TextIO]) -> TextIO:
    """Return the file to draw a progress bar on.

    A bar draws its line anew at each step, which a file or a pipe would keep
    as hundreds.

    Args:
        file (TextIO, optional): Such as ``sys.stderr``.

    Returns:
        TextIO: ``file`` if it is a terminal, else a file that keeps nothing.
    """
    if file is not None and file.isatty():
        return file
    return _Nowhere()  # type: ignore[return-value]


def track(tasks: Sequence[Task]) -> Iterator[Task]:
    """Go through tasks, with a bar on the standard output."""
    return track_iter_progress(tasks, file=bar_file(sys.stdout))
