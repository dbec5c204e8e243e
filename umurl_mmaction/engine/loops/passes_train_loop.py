import math
from collections.abc import Sequence
from typing import Optional, Union

from mmaction.registry import LOOPS
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader


@LOOPS.register_module()
class PassesTrainLoop(IterBasedTrainLoop):
    """Train for passes over the clips, but never for too few steps.

    An epoch of a small set has few steps: 30 epochs of 291 clips in batches
    of 64 are 120 steps, in which an encoder learns little. This loop takes as
    many steps as ``passes`` over the set have, but at least ``min_iters``.
    Schedulers with ``by_epoch=False`` and without ``end`` follow.

    Args:
        runner (Runner): The runner.
        dataloader (dict | DataLoader): Training clips; with
            ``InfiniteSampler``, a batch may go over the end of a pass.
        passes (int): Passes over the set. Defaults to 30.
        min_iters (int): Fewest steps. Defaults to 3000.
        max_iters (int, optional): The number of steps, whatever the set.
            Defaults to None.
        val_begin (int): As in ``IterBasedTrainLoop``. Defaults to 1.
        val_interval (int): As in ``IterBasedTrainLoop``. Defaults to 1000.
        dynamic_intervals (sequence, optional): As in ``IterBasedTrainLoop``.

    Raises:
        ValueError: If a number of steps or passes is below 1.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: Union[DataLoader, dict],
                 passes: int = 30,
                 min_iters: int = 3000,
                 max_iters: Optional[int] = None,
                 val_begin: int = 1,
                 val_interval: int = 1000,
                 dynamic_intervals: Optional[Sequence] = None) -> None:
        for name, value in dict(
                passes=passes, min_iters=min_iters,
                max_iters=max_iters).items():
            if value is not None and value < 1:
                raise ValueError(f'train_cfg.{name}={value} must be at least '
                                 '1')
        super().__init__(runner, dataloader, max_iters or min_iters, val_begin,
                         val_interval, dynamic_intervals)
        num_clips = len(self.dataloader.dataset)
        batch = self.dataloader.batch_size * get_world_size()
        steps = math.ceil(num_clips / batch)
        if max_iters is None:
            self._max_iters = max(min_iters, passes * steps)
        print_log(
            f'{self._max_iters} steps, about {self._max_iters / steps:.3g} '
            f'passes over {num_clips} clips', 'current')
