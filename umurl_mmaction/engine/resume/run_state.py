"""The part of a run's state that MMEngine's checkpoints lack."""
import random
from typing import Any

import numpy as np
import torch
from mmengine import dist
from mmengine.runner import Runner

from ...datasets.sample_seed import PassSampler, inner_sampler


def random_state() -> dict[str, Any]:
    """Return the states of this process's random generators.

    Returns:
        dict: ``python``, ``numpy``, ``torch`` and, with a GPU, ``cuda`` for
        the current device; only tensors and numbers, which torch loads with
        ``weights_only``.
    """
    numpy = np.random.get_state(legacy=False)
    numbers = numpy['state']
    # torch's `weights_only` list has no NumPy arrays.
    numbers['key'] = torch.from_numpy(numbers['key'].astype(np.int64))
    state: dict[str, Any] = dict(
        python=random.getstate(), numpy=numpy, torch=torch.get_rng_state())
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Set the random generators to a :func:`random_state`.

    The state may come from another device. Without a GPU, the GPU's state is
    ignored.
    """
    random.setstate(state['python'])
    numbers = state['numpy']['state']
    key = numbers['key'].cpu().numpy().astype(np.uint32)
    np.random.set_state(dict(state['numpy'], state=dict(numbers, key=key)))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def batch_size_of_all_ranks(loader: Any) -> int:
    """Return the number of samples of an iteration, over all ranks."""
    return loader.batch_sampler.batch_size * dist.get_world_size()


def collect(runner: Runner,
            num_batches: int = 0,
            validated: bool = True) -> dict[str, Any]:
    """Return the state of a run between two iterations, on every rank.

    Args:
        runner (Runner): The runner of the training.
        num_batches (int): The number of batches since the start of the
            epoch, or since the run was resumed within it; 0 between two
            epochs. Defaults to 0.
        validated (bool): Whether no validation is left out if the resumed
            run goes on with the next iteration. Defaults to True.

    Returns:
        dict: ``validated``; ``random``, the :func:`random_state` of each rank;
        ``sampler_seed``, if the sampler has a seed; ``samples``, the number
        of the sampler's indices that the epoch has used, over all ranks.
    """
    loader = runner.train_loop.dataloader
    sampler = inner_sampler(loader)
    state = dict(
        random=dist.all_gather_object(random_state()),
        samples=0,
        validated=validated)
    if isinstance(sampler, PassSampler):
        if num_batches:
            state['samples'] = (
                num_batches * batch_size_of_all_ranks(loader) +
                sampler.skipped * dist.get_world_size())
        sampler = sampler.sampler
    if hasattr(sampler, 'seed'):
        state['sampler_seed'] = sampler.seed
    return state
