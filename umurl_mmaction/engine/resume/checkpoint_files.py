"""Checkpoint files: written whole or not at all, and looked at."""
import os
import os.path as osp
import zipfile
from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.fileio import LocalBackend, register_backend

# Name of MMEngine's file backend below; `backend_args` of a config knows it.
ATOMIC = 'atomic_local'


def _sync_folder(folder: str) -> None:
    # Else a power cut may undo the renaming. Windows opens no folders.
    if hasattr(os, 'O_DIRECTORY'):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@register_backend(ATOMIC)
class AtomicLocalBackend(LocalBackend):
    """The local disk, where a file is the old one or the whole new one.

    Bytes go to ``.NAME.part`` beside the file, to the disk, and only then
    under the file's name.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes.

        Args:
            obj (bytes): All that is to be in the file.
            filepath (str | Path): The file. Its folder is made if need be.

        Raises:
            OSError: If they cannot be written; the file is as it was.
        """
        folder, name = osp.split(osp.abspath(filepath))
        os.makedirs(folder, exist_ok=True)
        # A fixed name: what a killed process leaves is overwritten.
        part = osp.join(folder, f'.{name}.part')
        try:
            with open(part, 'wb') as f:
                f.write(obj)
                f.flush()
                os.fsync(f.fileno())
            os.replace(part, filepath)
        except OSError as error:
            raise OSError(
                error.errno, f'{error.strerror}: {filepath} is not written; '
                'what was there before is untouched') from error
        finally:
            Path(part).unlink(missing_ok=True)
        _sync_folder(folder)

    def put_text(self,
                 obj: str,
                 filepath: Union[str, Path],
                 encoding: str = 'utf-8') -> None:
        """Write text; as :meth:`put`."""
        self.put(obj.encode(encoding), filepath)


def damage_of(path: Union[str, Path]) -> Optional[str]:
    """What is wrong with a checkpoint file, without unpickling it.

    Args:
        path (str | Path): A file that ``torch.save`` has written.

    Returns:
        str | None: What is wrong, in a few words; None for a whole file.
    """
    if not osp.isfile(path):
        return 'is not there'
    with open(path, 'rb') as f:
        # The format before torch 1.6, which has no checksums.
        if f.read(1) == b'\x80':
            return None
    # The table of contents is what comes last in the file.
    if not zipfile.is_zipfile(path):
        return 'is cut off or no checkpoint'
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, OSError):
        damaged = 'an entry'
    return f'is damaged at {damaged}' if damaged else None


def _can_be_resumed(path: Path) -> bool:
    # As the best checkpoints, a file may hold no optimizer.
    if damage_of(path):
        return False
    try:
        checkpoint = torch.load(path, map_location='cpu')
    except Exception:  # there is no saying what a stranger's file raises
        return False
    return isinstance(checkpoint, dict) and 'optimizer' in checkpoint


def newest_good(*folders: Union[str, Path]) -> Optional[Path]:
    """The checkpoint that was written last of those that can be resumed.

    Args:
        folders (str | Path): Where to look for ``*.pth``.

    Returns:
        Path | None: Its path; None if there is none.
    """
    files = sorted((path for folder in folders
                    for path in Path(folder).glob('*.pth')),
        key=lambda path: path.stat().st_mtime,
        reverse=True)
    return next((path for path in files if _can_be_resumed(path)), None)
