"""What the pictures have in common."""
from matplotlib.axes import Axes
from matplotlib.colors import TABLEAU_COLORS

PALETTE = tuple(TABLEAU_COLORS.values())


def plain_axes(axes: Axes) -> None:
    """Leave out the frame at the top and at the right."""
    axes.spines[['top', 'right']].set_visible(False)


def faint_grid(axes: Axes) -> None:
    """Draw a grid behind everything else."""
    axes.grid(color='#e5e5e5', linewidth=0.6)
    axes.set_axisbelow(True)


def shorten(text: str, most: int, keep: str = 'end') -> str:
    """Put '…' in place of what is too long.

    Args:
        text (str): A name.
        most (int): Characters that fit.
        keep (str): What is kept, ``'start'`` or ``'end'``, which often tells
            names apart. Defaults to ``'end'``.
    """
    if len(text) <= most:
        return text
    if keep == 'start':
        return f'{text[:most - 1]}…'
    return f'…{text[1 - most:]}'
