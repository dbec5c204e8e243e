"""Chance in a pipeline that depends on seed, epoch and sample alone.

What a sample's pipeline draws may depend neither on the worker that runs it
nor on how often the training was resumed. So the sampler's indices say which
pass over the set they are for (:class:`PassSampler`), and a dataset runs its
pipeline inside :func:`sample_chance`. Indices are loaded ahead of time; an
epoch kept anywhere else would be the wrong one for some of them.
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
    """An index that says which pass over the set it is for.

    Attributes:
        key (tuple[int, int]): Seed and epoch.
    """
    key: tuple[int, int]


@contextmanager
def sample_chance(index: int) -> Iterator[None]:
    """Draw from ``random``, NumPy and torch (CPU) as this sample does.

    The global generators are seeded by seed, epoch and index, and are as
    before afterwards: without workers they are those of the training itself.
    A plain ``int`` changes nothing, as where a loader is not prepared.

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
    """Another sampler's indices, as :class:`SampleIndex`.

    Each pass counts as an epoch, from 0 on or from where :meth:`start` says;
    so do the passes of an endless sampler.

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
        """Say which pass is next.

        Args:
            epoch (int): Its number.
            skipped (int): How many of its first indices are left out.
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
        """As hooks that are told of the sampler only expect it."""
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)


def inner_sampler(loader: DataLoader) -> Any:
    """The sampler that a loader takes single indices from."""
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def number_passes(loader: DataLoader, seed: int) -> Optional[PassSampler]:
    """Let a loader's indices say which pass they are for.

    Args:
        loader (DataLoader): Loader with torch's own batch sampler, as those
            are that MMEngine builds by default.
        seed (int): Fixes the draws of all samples.

    Returns:
        PassSampler | None: What gives the indices from now on; None for any
        other loader, which stays as it is.
    """
    batches = loader.batch_sampler
    if not isinstance(batches, BatchSampler):
        return None
    if not isinstance(batches.sampler, PassSampler):
        batches.sampler = PassSampler(batches.sampler, seed)
    return batches.sampler
