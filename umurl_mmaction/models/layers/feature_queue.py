from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeatureQueue(nn.Module):
    """The keys of the latest batches, the newest first (MoCo's queue).

    It starts with random unit vectors, as MoCo's does. The keys are those of
    the whole batch, so that the queue is the same on every rank; it is in
    checkpoints, so that resuming changes nothing.

    Args:
        size (int): Rows K.
        channels (int): Channels D of a key.
        renewed (int, optional): Rows that keys replace; the others stay
            random for good, as in HiCo's code, whose pointer wraps too early.
            Defaults to all.

    Attributes:
        features (Tensor): The keys, (K, D), unit vectors. A push makes a new
            tensor, so that gradients of scores against the former one last.

    Raises:
        ValueError: If a size is below 1, or more rows are renewed than there
            are.
    """

    features: Tensor

    def __init__(self,
                 size: int,
                 channels: int,
                 renewed: Optional[int] = None) -> None:
        super().__init__()
        if size < 1 or channels < 1:
            raise ValueError(f'queue_size={size} and channels={channels} must '
                             'be at least 1')
        self.renewed = size if renewed is None else renewed
        if not 1 <= self.renewed <= size:
            raise ValueError(f'renewed={renewed} must be at least 1 and at '
                             f'most the size of the queue, {size}')
        self.register_buffer('features',
                             F.normalize(torch.randn(size, channels), dim=1))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Put in the keys of a batch, and drop as many of the oldest.

        Args:
            keys (Tensor): Unit vectors, (B, D), the same on all ranks.

        Raises:
            ValueError: As of :meth:`check`.
        """
        self.check(keys)
        rows, renewed = self.features, self.renewed
        self.features = torch.cat([
            keys.to(rows.dtype), rows[:renewed - len(keys)], rows[renewed:]
        ])

    def check(self, keys: Tensor) -> None:
        """Raise ``ValueError`` if the keys of a batch do not fit, (B, D).

        D may differ, or a whole number of such batches does not fill the
        queue: of each batch all keys are to stay for the same number of steps.
        """
        rows, renewed = self.features, self.renewed
        if keys.shape[1] != rows.shape[1]:
            raise ValueError(f'the keys have {keys.shape[1]} channels, the '
                             f'queue has {rows.shape[1]}: channels of the '
                             'head must be out_channels of the neck')
        if renewed % len(keys):
            raise ValueError(
                f'a queue of {renewed} keys is not divisible by the '
                f'{len(keys)} keys of a batch: change queue_size or '
                'batch_size, and set train_dataloader.drop_last=True if it is '
                'the last, smaller batch of an epoch')
