"""Files that are written as a whole or not at all."""
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

# The name of the file backend below, for `backend_args` of MMEngine.
ATOMIC = 'atomic_local'


@contextmanager
def replacing(path: Union[str, Path],
              keep_suffix: bool = True) -> Iterator[Path]:
    """Give a temporary file that becomes ``path`` if the body succeeds.

    The temporary file reaches the disk before it takes the name ``path``. At
    any instant, ``path`` is therefore the old file or the whole new one, also
    after a kill or a power cut.

    Args:
        path (str | Path): The file to write. Its folder is made if need be.
        keep_suffix (bool): Give the temporary file the suffix of ``path``,
            from which many writers choose the format. Without the suffix, a
            search for ``*.pth`` does not find the file. Defaults to True.

    Yields:
        Path: The temporary file, beside ``path``. Its name is unique, so that
        several processes may write one file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if keep_suffix else ''
    part = path.with_name(f'.{path.name}.{uuid.uuid4().hex[:8]}.part{suffix}')
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
    finally:
        part.unlink(missing_ok=True)
    # Windows does not open folders.
    if hasattr(os, 'O_DIRECTORY'):
        # Without this, a power cut may undo the renaming.
        _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Union[str, Path]) -> None:
    """Remove the temporary files that killed processes left in a folder.

    No other process may write to the folder.
    """
    for part in Path(folder).glob('.*.????????.part*'):
        part.unlink(missing_ok=True)


def write_text(path: Union[str, Path], text: str) -> None:
    """Write a text file in UTF-8 as :func:`replacing` does."""
    with replacing(path) as part:
        part.write_text(text, encoding='utf-8')


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
