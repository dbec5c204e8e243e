"""Random numbers of a sample that depend on seed, epoch and index alone.

They depend neither on the worker nor on how often the training was resumed.
Each index of the sampler carries its epoch (:class:`PassSampler`), because
workers load samples of the next epoch in advance. The dataset runs its
pipeline inside :func:`sample_chance`.
"""
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Optional

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import BatchSampler, DataLoader, get_worker_info


class SampleIndex(int):
    """An index with the seed and the epoch that it is for.

    Attributes:
        key (tuple[int, int]): Seed and epoch.
    """
    key: tuple[int, int]


@contextmanager
def sample_chance(index: int) -> Iterator[None]:
    """Seed ``random``, NumPy and torch (CPU) for one sample.

    The seed consists of the training's seed, the epoch and the index. The
    former states of the generators are restored at the end, but for those of
    a loader's worker, which nothing else uses: that takes most of the time.

    Args:
        index (int): A :class:`SampleIndex`; a plain ``int`` seeds nothing.
    """
    key = getattr(index, 'key', None)
    if key is None:
        yield
        return
    in_worker = get_worker_info() is not None
    if not in_worker:
        states = random.getstate(), np.random.get_state()
        torch_state = torch.default_generator.get_state()
    words = np.random.SeedSequence([*key, int(index)]).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words)
    # `torch.manual_seed` would seed the accelerators as well.
    torch.default_generator.manual_seed(int(words[:2].view(np.uint64)[0]))
    try:
        yield
    finally:
        if not in_worker:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.default_generator.set_state(torch_state)


class PassSampler:
    """A sampler that turns the indices of another into :class:`SampleIndex`.

    Each pass over the dataset counts as an epoch, also with an
    ``InfiniteSampler``. The first epoch is 0, or that of :meth:`start`.

    Args:
        sampler (Sampler): Sampler of indices. An ``InfiniteSampler`` is
            replaced by a new one, because it has a single iterator.
        seed (int): Seed of the samples.
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
        """Set the next epoch.

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
        """Count the passes before a position of an endless sampler."""
        if not self.endless:
            return 0
        # The ranks take the indices in turn.
        position = position * self.sampler.world_size + self.sampler.rank
        return position // len(self.sampler)

    def __len__(self) -> int:
        return len(self.sampler) - self.skipped

    def set_epoch(self, epoch: int) -> None:
        """Pass on MMEngine's call before each epoch."""
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)


def inner_sampler(loader: DataLoader) -> Any:
    """Return the sampler from which a loader takes single indices."""
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def number_passes(loader: DataLoader, seed: int) -> Optional[PassSampler]:
    """Put a :class:`PassSampler` around the sampler of a loader.

    Args:
        loader (DataLoader): A loader with torch's ``BatchSampler``, which is
            MMEngine's default.
        seed (int): Seed of the samples.

    Returns:
        PassSampler | None: The new sampler; None if the loader has another
        batch sampler, and stays unchanged.
    """
    batches = loader.batch_sampler
    if not isinstance(batches, BatchSampler):
        return None
    if not isinstance(batches.sampler, PassSampler):
        batches.sampler = PassSampler(batches.sampler, seed)
    return batches.sampler
