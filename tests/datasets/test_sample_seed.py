"""Random numbers depend on seed, epoch and sample alone."""
import pickle
import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from small_runs import same
from torch.utils.data import BatchSampler, DataLoader, Dataset

from umurl_mmaction.datasets.sample_seed import (
    PassSampler,
    SampleIndex,
    number_passes,
    sample_chance,
)
from umurl_mmaction.engine.resume.run_state import random_state


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()


class Draws(Dataset):
    """A sample is its index and some random numbers."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        with sample_chance(index):
            return int(index), *draw()


def collate(samples):
    return samples


def passes(num_workers, epochs, seed=1, skipped=0, batch_size=3):
    """Collect the samples of a loader by epoch and index."""
    dataset = Draws()
    loader = DataLoader(
        dataset,
        batch_size,
        sampler=DefaultSampler(dataset, shuffle=True, seed=seed),
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        collate_fn=collate)
    sampler = number_passes(loader, seed)
    given = {}
    for epoch in epochs:
        sampler.start(epoch, skipped)
        for batch in loader:
            given.update({(epoch, i): drawn for i, *drawn in batch})
    return given


def test_draws_are_the_samples_own():
    given = passes(0, [0, 1, 2])
    assert len(given) == 30
    # All differ from each other.
    assert len({tuple(drawn) for drawn in given.values()}) == 30
    assert not set(map(tuple, given.values())) & set(
        map(tuple, passes(0, [0, 1, 2], seed=2).values()))


@pytest.mark.parametrize('num_workers', [1, 2])
def test_neither_workers_nor_resuming_nor_batches_matter(num_workers):
    given = passes(0, [0, 1, 2])
    assert passes(num_workers, [0, 1, 2]) == given
    late = passes(num_workers, [2], batch_size=4)
    assert late == {key: given[key] for key in late} and len(late) == 10
    rest = passes(num_workers, [2], skipped=4)
    assert rest == {key: given[key] for key in rest} and len(rest) == 6


def test_the_training_draws_as_before():
    """This also holds if a pipeline fails."""
    before = random_state()
    index = SampleIndex(4)
    index.key = (1, 2)
    with sample_chance(index):
        first = draw()
    same(random_state(), before)
    with pytest.raises(ValueError, match='broken'), sample_chance(index):
        assert draw() == first
        raise ValueError('broken')
    same(random_state(), before)
    with sample_chance(4):  # no index of a prepared loader
        draw()
    assert random_state()['torch'].tolist() != before['torch'].tolist()


def test_an_index_survives_the_way_to_a_worker():
    index = next(iter(PassSampler([7], seed=3)))
    again = pickle.loads(pickle.dumps(index))
    assert again == 7 and again.key == index.key == (3, 0)


def test_passes_of_an_endless_sampler(monkeypatch):
    """Two ranks take five clips in turn."""
    ranks = []
    for rank in range(2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info',
                            lambda rank=rank: (rank, 2))
        sampler = InfiniteSampler(range(5), seed=0)
        whole = PassSampler(sampler, seed=0)
        # As in a loop, its only iterator has been used already.
        next(iter(sampler))
        ranks.append(islice(whole, 20))
    both = [x for pair in zip(*ranks) for x in pair]
    assert [x.key[1] for x in both] == [i // 5 for i in range(40)]
    for start in range(0, 40, 5):
        assert sorted(both[start:start + 5]) == list(range(5))


def test_loaders_of_another_kind_stay_as_they_are():
    loader = DataLoader(Draws(), batch_size=None)
    assert number_passes(loader, 0) is None
    loader = DataLoader(Draws(), batch_size=2)
    sampler = number_passes(loader, 0)
    assert number_passes(loader, 0) is sampler
    assert isinstance(loader.batch_sampler, BatchSampler)
    assert [len(x) for x in (loader, sampler)] == [5, 10]
    sampler.start(0, skipped=4)
    assert [len(x) for x in (loader, sampler)] == [3, 6]
