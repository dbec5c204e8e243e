"""Functions that the command lines of the tools share."""
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def one_line_errors(parser: ArgumentParser, out: str) -> Iterator[None]:
    """End the program with one line if the body fails or is interrupted.

    Args:
        parser (ArgumentParser): Ends the program.
        out (str): The output, which the message calls unchanged.
    """
    try:
        yield
    except KeyboardInterrupt:
        parser.exit(130, f'interrupted, {out} is as it was\n')
    except (OSError, ValueError) as error:
        parser.error(str(error))


def check_suffix(parser: ArgumentParser, name: str, path: Path) -> None:
    """End the program if argument ``name`` is no path for annotations."""
    if path.suffix not in ('.npz', '.pkl') or path.is_dir():
        parser.error(f'{name} must be a .pkl or .npz file, got {path}')


def make_folders(parser: ArgumentParser, paths: Iterable[Any]) -> None:
    """Make the folders of files to write (None is skipped), or end."""
    for path in filter(None, paths):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f'cannot write {path}: {error.strerror}')
