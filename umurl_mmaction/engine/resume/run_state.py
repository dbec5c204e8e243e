"""What of a run's state MMEngine's checkpoints do not hold."""
import random
from typing import Any

import numpy as np
import torch
from mmengine import dist
from mmengine.runner import Runner

from ...datasets.sample_seed import PassSampler, inner_sampler


def random_state() -> dict[str, Any]:
    """The states of this process's generators, as tensors and numbers.

    Returns:
        dict: ``python``, ``numpy``, ``torch`` and, where there is a GPU,
        ``cuda``, that of the current device. Nothing in it keeps torch from
        loading it with ``weights_only``.
    """
    numpy = np.random.get_state(legacy=False)
    numbers = numpy['state']
    # An array is pickled as an object; a tensor is not.
    numbers['key'] = torch.from_numpy(numbers['key'].astype(np.int64))
    state: dict[str, Any] = dict(
        python=random.getstate(), numpy=numpy, torch=torch.get_rng_state())
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Set this process's generators.

    Args:
        state (dict): What :func:`random_state` returned, maybe on another
            device; a GPU's state is left out where there is none.
    """
    random.setstate(state['python'])
    numbers = state['numpy']['state']
    key = numbers['key'].cpu().numpy().astype(np.uint32)
    np.random.set_state(dict(state['numpy'], state=dict(numbers, key=key)))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def batch_size_of_all_ranks(loader: Any) -> int:
    """Samples that all ranks together take in an iteration."""
    return loader.batch_sampler.batch_size * dist.get_world_size()


def collect(runner: Runner, num_batches: int = 0) -> dict[str, Any]:
    """The state of a run between two iterations; every rank has to call it.

    Args:
        runner (Runner): A runner that trains.
        num_batches (int): Batches that the epoch has had since it began or
            was resumed; 0 between two epochs. Defaults to 0.

    Returns:
        dict: ``random``, a list of :func:`random_state` by rank;
        ``sampler_seed``, if the sampler has one; ``samples``, how many of
        the sampler's indices the epoch has had, on all ranks together.
    """
    loader = runner.train_loop.dataloader
    sampler = inner_sampler(loader)
    state = dict(random=dist.all_gather_object(random_state()), samples=0)
    if isinstance(sampler, PassSampler):
        if num_batches:
            state['samples'] = (
                num_batches * batch_size_of_all_ranks(loader) +
                sampler.skipped * dist.get_world_size())
        sampler = sampler.sampler
    if hasattr(sampler, 'seed'):
        state['sampler_seed'] = sampler.seed
    return state
