"""Files that are written as a whole or not at all."""
import glob
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Optional, Union

from mmengine.fileio import LocalBackend, register_backend

# Windows has none.
fcntl: Any = import_module('fcntl') if find_spec('fcntl') else None

# The name of the file backend below, for `backend_args` of MMEngine.
ATOMIC = 'atomic_local'


@contextmanager
def replacing(path: Union[str, Path],
              keep_suffix: bool = True) -> Iterator[Path]:
    """Give a temporary file that becomes ``path`` if the body succeeds.

    The temporary file reaches the disk before it takes the name ``path``. At
    any instant, ``path`` is therefore the old file or the whole new one, also
    after a kill or a power cut. Temporary files that killed processes left
    of ``path`` are removed.

    Args:
        path (str | Path): The file to write. Its folder is made if need be.
        keep_suffix (bool): Give the temporary file the suffix of ``path``,
            from which many writers choose the format. Without the suffix, a
            search for ``*.pth`` does not find the file. Defaults to True.

    Yields:
        Path: The temporary file, empty, beside ``path``. No other process has
        its name: several processes may write one file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    with _temporary(path, path.suffix if keep_suffix else '', _touch) as part:
        try:
            yield part
            # Windows syncs only files that are open for writing.
            _sync(part, os.O_RDWR)
            os.replace(part, path)
        except OSError as error:
            # A full disk has no name, and nobody knows the temporary one.
            if error.errno is None or error.filename not in (None, str(part)):
                raise
            raise OSError(error.errno, error.strerror, str(path)) from error
    # Windows does not open folders.
    if hasattr(os, 'O_DIRECTORY'):
        # Without this, a power cut may undo the renaming.
        _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes ``path`` if the body succeeds.

    The old folder is removed just before. A kill between the two leaves
    neither.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    with _temporary(path, '', os.mkdir) as part:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        os.replace(part, path)


@contextmanager
def _temporary(path: Path, suffix: str,
               make: Callable[[Path], None]) -> Iterator[Path]:
    """Make a file or folder, lock it, and remove it in the end."""
    while True:
        part = path.with_name(
            f'.{path.name}.{uuid.uuid4().hex[:8]}.part{suffix}')
        make(part)
        try:
            lock = _lock(part)
            break
        except (BlockingIOError, FileNotFoundError):
            # Another process took it for a leftover before it was locked.
            continue
    try:
        yield part
    finally:
        _remove(part)
        if lock is not None:
            os.close(lock)


def _touch(part: Path) -> None:
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _lock(part: Path) -> Optional[int]:
    """Lock a temporary file or folder until its descriptor is closed.

    The end of the process, of whatever kind, closes the descriptor.

    Returns:
        int | None: The descriptor; None if the system cannot lock files.

    Raises:
        BlockingIOError: If another process has locked it.
        FileNotFoundError: If another process has removed it.
    """
    if fcntl is None:
        return None
    descriptor = os.open(part, os.O_RDONLY if part.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.stat()
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, (BlockingIOError, FileNotFoundError)):
            raise
        return None
    return descriptor


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Union[str, Path],
                     name: Optional[str] = None) -> None:
    """Remove the temporary files that killed processes left in a folder.

    The files of running processes stay: these have locked them. Where files
    cannot be locked, as on Windows, nothing is removed.

    Args:
        folder (str | Path): The folder.
        name (str, optional): Remove those of this file only. Defaults to
            None: of all files.
    """
    pattern = '*' if name is None else glob.escape(name)
    for part in Path(folder).glob(f'.{pattern}.????????.part*'):
        try:
            lock = _lock(part)
        except OSError:
            continue
        if lock is not None:
            _remove(part)
            os.close(lock)


def write_text(path: Union[str, Path], text: str) -> None:
    """Write a text file in UTF-8 as :func:`replacing` does."""
    with replacing(path) as part:
        part.write_text(text, encoding='utf-8')


def write_json(path: Union[str, Path], content: Any) -> None:
    """Write a JSON file as :func:`write_text` does."""
    write_text(path, json.dumps(content, indent=1) + '\n')


@register_backend(ATOMIC)
class AtomicLocalBackend(LocalBackend):
    """MMEngine's backend for the local disk, writing with ``replacing``."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to a file.

        Raises:
            OSError: If the bytes cannot be written, for instance on a full
                disk. The file is as it was.
        """
        try:
            with replacing(filepath, keep_suffix=False) as part:
                part.write_bytes(obj)
        except OSError as error:
            raise OSError(
                error.errno, f'{error.strerror}: {filepath} is not written; '
                'what was there before is untouched') from error

    def put_text(self,
                 obj: str,
                 filepath: Union[str, Path],
                 encoding: str = 'utf-8') -> None:
        """Write text to a file, as :meth:`put` does."""
        self.put(obj.encode(encoding), filepath)
