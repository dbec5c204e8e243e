"""Figures on disk and in TensorBoard."""
from pathlib import Path
from typing import Optional

from matplotlib.figure import Figure

from ..fileio.atomic import replacing


def log_figure(figure: Figure, folder: Optional[str], tag: str) -> None:
    """Add a figure to TensorBoard's images.

    Args:
        figure (Figure): The figure.
        folder (str, optional): Folder of the event files; without one,
            nothing is written.
        tag (str): Name of the image.
    """
    if folder is None:
        return
    from torch.utils.tensorboard import SummaryWriter
    with SummaryWriter(folder) as writer:
        writer.add_figure(tag, figure)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a file; the suffix, such as ``.png``, sets the format.

    Raises:
        ValueError: If Matplotlib has no such format.
    """
    if not path.suffix:
        raise ValueError(f'{path} has no suffix, which sets the format: '
                         f'wanted is a file such as {path}.png')
    with replacing(path) as temporary:
        figure.savefig(temporary)
