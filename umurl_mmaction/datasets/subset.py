from collections.abc import Sequence
from typing import Callable

import numpy as np


def class_balanced_subset(labels: Sequence[int],
                          fraction: float,
                          seed: int = 0) -> list[int]:
    """Draw the same share of every class, at least one sample of each.

    Args:
        labels (sequence of int): Class of each sample.
        fraction (float): Share of each class, above 0 and at most 1; rounded
            to the nearest number of samples.
        seed (int): Seed of the draw. Defaults to 0.

    Returns:
        list[int]: Indices of the drawn samples, ascending.

    Raises:
        ValueError: If ``fraction`` is out of its range.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f'a fraction of {fraction} of the labels was asked '
                         'for; it must be above 0 and at most 1')
    return _draw(labels, lambda size: max(1, round(fraction * size)), seed)


def draw_per_class(labels: Sequence[int],
                   per_class: int,
                   seed: int = 0) -> list[int]:
    """Draw the same number of samples of every class.

    Args:
        labels (sequence of int): Class of each sample.
        per_class (int): Samples of each class; all of a class that has fewer.
        seed (int): The draw depends on nothing else. Defaults to 0.

    Returns:
        list[int]: Indices of the drawn samples, ascending.
    """
    return _draw(labels, lambda size: per_class, seed)


def _draw(labels: Sequence[int], count: Callable[[int], int],
          seed: int) -> list[int]:
    drawn: list[int] = []
    for label in np.unique(labels):
        members = np.flatnonzero(np.asarray(labels) == label)
        # With a generator per class, other classes do not change the draw.
        rng = np.random.default_rng([seed, int(label)])
        drawn.extend(rng.permutation(members)[:count(len(members))].tolist())
    return sorted(drawn)
