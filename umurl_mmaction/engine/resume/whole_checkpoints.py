"""Which checkpoint files are whole, and which of them can be resumed."""
import os.path as osp
import zipfile
from pathlib import Path
from typing import Optional, Union

from ...fileio.checkpoints import load_checkpoint
from ...fileio.limits import check_archive


def damage_of(path: Union[str, Path]) -> Optional[str]:
    """Describe the damage of a ``torch.save`` file, without unpickling it.

    Returns:
        str | None: The damage in a few words, or None for a whole file.
    """
    if not osp.isfile(path):
        return 'is not there'
    with open(path, 'rb') as f:
        # The format before torch 1.6 has no checksums.
        if f.read(1) == b'\x80':
            return None
    # The table of contents is at the end of the file.
    if not zipfile.is_zipfile(path):
        return 'is cut off or no checkpoint'
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, osp.getsize(path))
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, OSError):
        damaged = 'an entry'
    return f'is damaged at {damaged}' if damaged else None


def _can_be_resumed(path: Path) -> bool:
    if damage_of(path):
        return False
    try:
        checkpoint = load_checkpoint(path)
    except (OSError, ValueError):
        return False
    # The best checkpoints may hold no optimizer.
    return isinstance(checkpoint, dict) and 'optimizer' in checkpoint


def newest_good(*folders: Union[str, Path]) -> Optional[Path]:
    """Find the newest ``*.pth`` of some folders that can be resumed.

    Returns:
        Path | None: The file that was written last, or None if no file can
        be resumed.
    """
    files = sorted((path for folder in folders
                    for path in Path(folder).glob('*.pth')),
        key=lambda path: path.stat().st_mtime,
        reverse=True)
    return next((path for path in files if _can_be_resumed(path)), None)
