"""Strips of a query and its neighbours, marked as right or wrong."""
import textwrap
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from .class_names import ClassNames
from .strips import Strip

RIGHT_COLOR, WRONG_COLOR = '#1a7f37', '#c1121f'


class Neighbor(NamedTuple):
    """A gallery clip near a query.

    Args:
        clip (np.ndarray): (M, T, V, C); NaN is not drawn.
        name (str): Name of the clip.
        label (int, optional): Its class.
        cosine (float): Its similarity to the query.
    """
    clip: np.ndarray
    name: str
    label: Optional[int]
    cosine: float


def mark(query: Optional[int],
         found: Optional[int]) -> tuple[str, Optional[str]]:
    """Mark a neighbour as right if it has the query's class.

    Returns:
        tuple[str, str | None]: Text and colour; an empty text and None if one
        of the labels is not known.
    """
    if query is None or found is None:
        return '', None
    if query == found:
        return '✓ right', RIGHT_COLOR
    return '✗ wrong', WRONG_COLOR


def gallery_strips(clip: np.ndarray, name: str, label: Optional[int],
                   neighbors: Sequence[Neighbor],
                   names: ClassNames) -> list[Strip]:
    """Make a strip of a query and of each neighbour, the nearest first.

    Args:
        clip (np.ndarray): The query, (M, T, V, C).
        name (str): Its name.
        label (int, optional): Its class.
        neighbors (sequence of Neighbor): Its neighbours.
        names (ClassNames): Names of the classes.
    """

    def title(head: str, name: str, label: Optional[int]) -> str:
        lines = textwrap.wrap(names[label], 26) or ['']
        if len(name) > 28:
            name = f'…{name[-27:]}'
        return '\n'.join([head, *lines, name])

    strips = [Strip(clip, title('query', name, label))]
    for rank, found in enumerate(neighbors, 1):
        text, color = mark(label, found.label)
        head = f'{rank}: {text}, cosine {found.cosine:.3f}' if text else (
            f'{rank}: cosine {found.cosine:.3f}')
        strips.append(
            Strip(found.clip, title(head, found.name, found.label), color))
    return strips
