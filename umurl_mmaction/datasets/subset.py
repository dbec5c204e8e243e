from collections.abc import Sequence

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
    drawn: list[int] = []
    for label in np.unique(labels):
        members = np.flatnonzero(np.asarray(labels) == label)
        # With a generator per class, other classes do not change the draw.
        rng = np.random.default_rng([seed, int(label)])
        count = max(1, round(fraction * len(members)))
        drawn.extend(rng.permutation(members)[:count].tolist())
    return sorted(drawn)
