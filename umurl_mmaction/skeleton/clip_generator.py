"""Random numbers of a clip that do not depend on the clips beside it."""
from math import prod
from typing import Optional

import torch
from torch import Tensor

# SplitMix64 (Steele, Lea, Flood, OOPSLA 2014); constants as signed integers.
GAMMA = 0x9E3779B97F4A7C15 - 2**64
FACTORS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
# Numbers of a clip that are computed at once: few kernels for many calls.
AHEAD = 64


class ClipGenerator:
    """A generator with a sequence of its own for each clip.

    ``torch.Generator`` draws for a batch as a whole: what a clip gets depends
    on the size of the batch, on its rank and on the kind of device. Here, the
    i-th number of a clip is number ``place * 2**32 + i`` of a SplitMix64
    sequence, which any process can compute.

    Args:
        seed (int): Start of the sequence, -2**63 .. 2**63 - 1.
        places (Tensor): The number of each clip, (N, ), int64, 0 .. 2**24 -
            1. Clips with equal numbers get equal draws.
    """

    def __init__(self, seed: int, places: Tensor) -> None:
        self.seed = seed
        self.places = places
        self.device = places.device
        self._drawn = 0
        self._first = 0
        self._ahead = torch.empty(0, 0)

    def of_views(self, views: range) -> 'ClipGenerator':
        """Return a generator for views of the clips.

        Args:
            views (range): Their numbers, 0 .. 127. Each view has its own
                sequence.

        Returns:
            ClipGenerator: Of len(views) * N rows, view after view.
        """
        # A tensor of a list would wait for the GPU.
        numbers = torch.arange(views.start, views.stop, device=self.device)
        places = self.places + 2**24 * numbers[:, None]
        return ClipGenerator(self.seed, places.flatten())

    def rand(self, *shape: int) -> Tensor:
        """Draw the next numbers of each clip from U[0, 1).

        Args:
            shape (int): Shape S of a clip's numbers.

        Returns:
            Tensor: (N, *S), float32, multiples of 2**-24.
        """
        count = prod(shape)
        start = self._drawn - self._first
        if start + count > self._ahead.shape[1]:
            self._first, start = self._drawn, 0
            self._ahead = self._compute(max(count, AHEAD))
        self._drawn += count
        numbers = self._ahead[:, start:start + count]
        return numbers.reshape(len(numbers), *shape)

    def _compute(self, count: int) -> Tensor:
        """Compute the numbers from ``_first`` on: (N, count)."""
        first = self._first + 1
        steps = torch.arange(first, first + count, device=self.device)
        # int64 keeps the lowest 64 bits of a product.
        x = self.places[:, None] * 2**32 * GAMMA + self.seed + steps * GAMMA
        for shift, factor in zip((30, 27), FACTORS):
            # The shift of a negative number fills with ones.
            x ^= (x >> shift).bitwise_and_(2**(64 - shift) - 1)
            x *= factor
        # The last shift of SplitMix64 does not change the upper bits.
        return (x >> 40).bitwise_and_(2**24 - 1).float().mul_(2**-24)


def uniform(generator: Optional[ClipGenerator], num: int,
            *shape: int) -> Tensor:
    """Draw numbers of U[0, 1) for several clips.

    All random numbers of a transform come from here, equally many for each
    clip. So its views are the same in any batch and on any process.

    Args:
        generator (ClipGenerator | None): None draws from torch's own
            generator on the CPU.
        num (int): Number of clips N, that of the generator.
        shape (int): Shape S of a clip's numbers.

    Returns:
        Tensor: (N, *S), float32, on the generator's device.
    """
    if generator is None:
        return torch.rand(num, *shape)
    return generator.rand(*shape)
