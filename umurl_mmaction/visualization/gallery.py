"""Strips of a query and its neighbours, marked as right or wrong."""
import textwrap
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from .class_names import ClassNames
from .strips import Strip
from .style import shorten

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


def gallery_strips(clip: np.ndarray, name: str, label: Optional[int],
                   neighbors: Sequence[Neighbor],
                   names: ClassNames) -> list[Strip]:
    """Make a strip of a query and of each neighbour, the nearest first.

    A neighbour is right if it has the query's class, and has no mark if one
    of the classes is not known. The query says how many are right, and has
    the mark of the nearest one, which decides in 1-NN retrieval.

    Args:
        clip (np.ndarray): The query, (M, T, V, C).
        name (str): Its name.
        label (int, optional): Its class.
        neighbors (sequence of Neighbor): Its neighbours.
        names (ClassNames): Names of the classes.
    """

    def title(head: str, name: str, label: Optional[int]) -> str:
        lines = textwrap.wrap(names[label], 26) or ['']
        return '\n'.join([head, *lines, shorten(name, 28)])

    known = [found.label == label for found in neighbors
             if label is not None and found.label is not None]
    strips = []
    for place, found in enumerate(neighbors, 1):
        mark, color = '', None
        if label is not None and found.label is not None:
            right = label == found.label
            mark = '✓ right, ' if right else '✗ wrong, '
            color = RIGHT_COLOR if right else WRONG_COLOR
        head = f'{place}: {mark}cosine {found.cosine:.3f}'
        strips.append(
            Strip(found.clip, title(head, found.name, found.label), color))
    head = 'query'
    if known:
        head = f'query: {sum(known)} of {len(known)} right'
    color = strips[0].color if strips else None
    return [Strip(clip, title(head, name, label), color), *strips]
