"""How much a file may become in memory, by its own size."""
import zipfile

FACTOR = 16
FREE = 16 << 20


def allowance(size: int) -> int:
    """Return how many bytes a file of ``size`` bytes may become.

    Arrays and texts of honest files are no larger when they are unpacked.
    """
    return FACTOR * size + FREE


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Check how large the members of an archive are, before one is read.

    Args:
        archive (zipfile.ZipFile): The archive.
        size (int): Its size in bytes.

    Raises:
        zipfile.BadZipFile: If they are too large, as in a zip bomb.
    """
    total = sum(member.file_size for member in archive.infolist())
    if total > allowance(size):
        raise zipfile.BadZipFile(
            f'an archive of {size} bytes says that it holds {total}: more '
            f'than {allowance(size)} are refused')
