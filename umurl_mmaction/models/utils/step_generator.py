"""Random numbers of a training step."""
from typing import Optional

import numpy as np
import torch
from mmengine import dist
from mmengine.logging import MessageHub

from ...skeleton.clip_generator import ClipGenerator


# Epoch and iteration change: torch.compile would compile it each time.
@torch.compiler.disable
def step_generator(num_clips: int,
                   device: torch.device) -> Optional[ClipGenerator]:
    """Make a generator, seeded so that a resumed run draws the same.

    In a training by MMEngine's Runner, a clip's numbers depend on seed, epoch,
    iteration and the clip's place in the batch of all ranks. MMEngine's
    samplers deal the clips to the ranks in turn, so any number of ranks draws
    the same for a batch.

    Args:
        num_clips (int): Clips of this rank.
        device (torch.device): Where they are.

    Returns:
        ClipGenerator | None: That of the clips; None outside of a training.
    """
    hub = MessageHub.get_current_instance()
    if hub.get_info('loop_stage') != 'train':
        return None
    stand = [hub.get_info(key) for key in ('seed', 'epoch', 'iter')]
    words = np.random.SeedSequence(stand).generate_state(1, np.uint64)
    places = torch.arange(num_clips, device=device)
    places = places * dist.get_world_size() + dist.get_rank()
    return ClipGenerator(int(words.view(np.int64)[0]), places)
