"""Figures on disk and in TensorBoard."""
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

from matplotlib.figure import Figure


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path to write to; ``path`` gets the file once it is whole.

    Args:
        path (Path): The file. Its folder is made if need be.

    Yields:
        Path: A path in the same folder with the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.stem}.{os.getpid()}{path.suffix}')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def log_figure(figure: Figure, folder: Optional[str], tag: str) -> None:
    """Add a figure to TensorBoard's images.

    Args:
        figure (Figure): The figure.
        folder (str, optional): Folder of the event files; None to do
            nothing.
        tag (str): Name of the image.
    """
    if folder is None:
        return
    from torch.utils.tensorboard import SummaryWriter
    with SummaryWriter(folder) as writer:
        writer.add_figure(tag, figure)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a file.

    Args:
        figure (Figure): The figure.
        path (Path): File to write; its suffix, such as ``.png``, tells the
            format. Its folder is made if need be.

    Raises:
        ValueError: If there is no such format.
    """
    with replaced(path) as part:
        figure.savefig(part)
