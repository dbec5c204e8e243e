"""Random draws that depend on seed, epoch and sample alone.

The draws of a sample's pipeline depend neither on the worker that runs it nor
on how often the training was resumed. For this, the sampler's indices carry
the epoch that they are for (:class:`PassSampler`), and a dataset runs its
pipeline inside :func:`sample_chance`. Workers load samples ahead of time; an
epoch stored anywhere else would be wrong for some of them.
"""
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Optional

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader


class SampleIndex(int):
    """An index that carries the epoch it is for.

    Attributes:
        key (tuple[int, int]): Seed and epoch.
    """
    key: tuple[int, int]


@contextmanager
def sample_chance(index: int) -> Iterator[None]:
    """Seed ``random``, NumPy and torch (CPU) for one sample.

    The global generators are seeded by seed, epoch and index. Their states
    are restored afterwards, because a loader without workers shares them with
    the training. A plain ``int`` changes nothing; a loader that is not
    prepared gives such indices.

    Args:
        index (int): A :class:`SampleIndex`.
    """
    key = getattr(index, 'key', None)
    if key is None:
        yield
        return
    states = random.getstate(), np.random.get_state()
    torch_state = torch.default_generator.get_state()
    words = np.random.SeedSequence([*key, int(index)]).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words)
    # Not `torch.manual_seed`, which seeds the accelerators as well.
    torch.default_generator.manual_seed(int(words[:2].view(np.uint64)[0]))
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.default_generator.set_state(torch_state)


class PassSampler:
    """Yields another sampler's indices as :class:`SampleIndex`.

    Each pass counts as an epoch, from 0 on or from the number that
    :meth:`start` is given; so do the passes of an endless sampler.

    Args:
        sampler (Sampler): Sampler of indices. An ``InfiniteSampler`` is
            started anew, as it has only one iterator.
        seed (int): Fixes the draws of all samples.
    """

    def __init__(self, sampler: Any, seed: int) -> None:
        self.endless = isinstance(sampler, InfiniteSampler)
        if self.endless:
            sampler = type(sampler)(sampler.dataset, sampler.shuffle,
                                    sampler.seed)
        self.sampler = sampler
        self.seed = seed
        self.epoch = 0
        self.skipped = 0

    def start(self, epoch: int, skipped: int = 0) -> None:
        """Set the next pass.

        Args:
            epoch (int): Its number.
            skipped (int): Number of its first indices that are left out.
                Defaults to 0.
        """
        self.epoch = epoch
        self.skipped = skipped

    def __iter__(self) -> Iterator[SampleIndex]:
        epoch = self.epoch
        self.epoch += 1
        indices = islice(enumerate(self.sampler), self.skipped, None)
        for position, index in indices:
            number = SampleIndex(index)
            number.key = (self.seed, epoch + self._passes(position))
            yield number

    def _passes(self, position: int) -> int:
        if not self.endless:
            return 0
        # The ranks take turns at one sequence of indices.
        position = position * self.sampler.world_size + self.sampler.rank
        return position // len(self.sampler)

    def __len__(self) -> int:
        return len(self.sampler) - self.skipped

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to the inner sampler, as MMEngine's hooks do."""
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)


def inner_sampler(loader: DataLoader) -> Any:
    """Return the sampler that a loader takes single indices from."""
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def number_passes(loader: DataLoader, seed: int) -> Optional[PassSampler]:
    """Make a loader's indices carry the epoch that they are for.

    Args:
        loader (DataLoader): Loader with torch's own batch sampler, which
            MMEngine builds by default.
        seed (int): Fixes the draws of all samples.

    Returns:
        PassSampler | None: The loader's new sampler; None for a loader with
        another batch sampler, which stays as it is.
    """
    batches = loader.batch_sampler
    if not isinstance(batches, BatchSampler):
        return None
    if not isinstance(batches.sampler, PassSampler):
        batches.sampler = PassSampler(batches.sampler, seed)
    return batches.sampler
