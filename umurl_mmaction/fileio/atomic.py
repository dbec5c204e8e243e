"""Files that are there as a whole or not at all."""
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside ``path`` that takes its place when all went well.

    Args:
        path (Path): File to write; its folder is made if need be.

    Yields:
        Path: Where to write it, with the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.stem}.{os.getpid()}.part{path.suffix}')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file; ``path`` holds the old one or the whole new one."""
    with replacing(path) as part:
        part.write_text(text, encoding='utf-8')
