"""What the command lines share: failures in one line, checks of paths."""
import dis
import io
import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Optional

# Set to anything but '' or 0, it brings back the traceback of a failure.
TRACEBACK = 'UMURL_TRACEBACK'

PACKAGE = Path(__file__).resolve().parent
# Code that raises an error of its own only about what the user has given.
OURS = tuple(
    f'{folder}{os.sep}' for folder in (PACKAGE, PACKAGE.parent / 'tools'))
_RAISE = dis.opmap['RAISE_VARARGS']
# A constructor that a config has given other arguments than it takes.
_ARGUMENTS = re.compile(r'__init__\(\) (got an unexpected|missing \d+ requi)')
# MMEngine up to 0.10.5 puts this in front of what a constructor raises.
_BUILDING = re.compile(r'class `\w+` in \S+: ')


def _places(traceback: Optional[TracebackType]) -> Iterator[tuple[Any, int]]:
    """Yield code and instruction of each frame, the outermost first."""
    while traceback is not None:
        yield traceback.tb_frame.f_code, traceback.tb_lasti
        traceback = traceback.tb_next


def _in_mmengine(code: Any, folder: str) -> bool:
    return f'{os.sep}mmengine{os.sep}{folder}{os.sep}' in code.co_filename


def _is_about_input(error: BaseException) -> bool:
    """Tell whether an error was raised on purpose, about what was given.

    That is so for a ``raise`` in this package or in MMEngine's configs, for
    what a constructor that a config names raises, for arguments that it does
    not have, and for files and disks. All else is a bug.
    """
    if isinstance(error, OSError):
        return not isinstance(error, (ConnectionError, ChildProcessError))
    places = list(_places(error.__traceback__))
    built = any(_in_mmengine(code, 'registry') for code, _ in places)
    if built and isinstance(error, TypeError) and _ARGUMENTS.search(
            str(error)):
        return True
    code, instruction = places[-1]
    if code.co_code[instruction] != _RAISE:
        return False
    if code.co_filename.startswith(OURS):
        return not isinstance(error, AssertionError)
    return built or _in_mmengine(code, 'config')


def _open_file(traceback: Optional[TracebackType]) -> Optional[str]:
    """Find the file that the innermost frames were writing to.

    The error of a full disk does not name it.
    """
    found = None
    while traceback is not None:
        for value in list(traceback.tb_frame.f_locals.values()):
            name = getattr(value, 'name', None)
            if isinstance(value, io.IOBase) and isinstance(name, str):
                found = name
        traceback = traceback.tb_next
    return found


def _of_worker(text: str) -> Optional[str]:
    """Find the message in the traceback that torch takes from a worker."""
    if not re.match(r'Caught \w+ in DataLoader worker process', text):
        return None
    last = re.search(
        r'  File "(.*)", line \d+.*\n    (.*)\n(?:    .*\n)*[\w.]+: (.*)',
        text[text.rfind('  File "'):], re.DOTALL)
    if (last is None or not last[1].startswith(OURS)
            or not last[2].startswith('raise ')):
        return None
    return last[3]


def explain(error: BaseException) -> Optional[str]:
    """Say in one line what is wrong with what the user has given.

    Args:
        error (BaseException): An error that was caught.

    Returns:
        str | None: The line; None for a bug, whose traceback is wanted.
    """
    # An older MMEngine raises what it has caught anew.
    cause = error
    while (_BUILDING.match(str(cause)) and cause.__context__ is not None
           and str(cause).endswith(str(cause.__context__))):
        cause = cause.__context__
    text: Optional[str] = str(cause)
    if isinstance(cause, OSError) and cause.strerror:
        name = cause.filename or _open_file(cause.__traceback__)
        text = f'{name}: {cause.strerror}' if name else cause.strerror
        installed = PACKAGE / '.mim'
        if str(name).startswith(str(installed)) and not installed.is_dir():
            text = ('configs called umurl_mmaction::... are read from the '
                    'installed package, and this checkout is not installed: '
                    'run pip install . or pip install -e . in it')
    elif isinstance(cause, KeyError) and cause.args:
        text = str(cause.args[0])  # str() shows quotes around it
    if not _is_about_input(cause):
        text = _of_worker(str(cause))
    return None if text is None else (
        ' '.join(text.split()) or type(cause).__name__)


def end(status: int, line: str) -> NoReturn:
    """End the program with a line on stderr."""
    print(line, file=sys.stderr)
    raise SystemExit(status)


@contextmanager
def failing_in_one_line(interrupted: str = 'interrupted',
                        also: tuple[type[Exception], ...] = ()
                        ) -> Iterator[None]:
    """End the program with one line if what the user has given is wrong.

    The status is 2, or 130 after Ctrl-C. A bug keeps its traceback, and the
    environment variable ``UMURL_TRACEBACK=1`` brings back any.

    Args:
        interrupted (str): The line after Ctrl-C.
        also (tuple[type[Exception]]): Errors that are about what the user has
            given wherever they are raised. Defaults to ().
    """
    if os.environ.get(TRACEBACK, '0') not in ('', '0'):
        yield
        return
    try:
        yield
    except KeyboardInterrupt:
        end(130, interrupted)
    except Exception as error:
        line = explain(error)
        if line is None and isinstance(error, also):
            line = ' '.join(str(error).split())
        if line is None:
            raise
        end(2, f'error: {line}')


@contextmanager
def one_line_errors(out: str) -> Iterator[None]:
    """Let a tool end as :func:`failing_in_one_line` does.

    Args:
        out (str): The output, which the line calls unchanged.
    """
    # Libraries say in this way that they cannot use a setting.
    with failing_in_one_line(f'interrupted, {out} is as it was',
                             also=(ValueError, )):
        yield


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
