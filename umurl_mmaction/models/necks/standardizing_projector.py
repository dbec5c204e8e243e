from collections.abc import Sequence
from typing import Optional

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..layers.sync_batch_norm import SyncBatchNorm1d


@MODELS.register_module()
class StandardizingProjector(BaseModule):
    """A batch norm alone: the heads compare the feature itself, standardised.

    It is the projector of STARS (https://github.com/TaatiTeam/STARS, read in
    code). The batch statistics are those of all ranks.

    Args:
        in_channels (int): Channels of the feature, and of the projection.
        init_cfg (dict, optional): MMEngine's initialisation.
    """

    def __init__(self,
                 in_channels: int,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = in_channels
        self.norm = SyncBatchNorm1d(in_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Standardise a batch: (N, in_channels) -> (N, in_channels)."""
        return self.norm(x)

    def forward_batches(self, batches: Sequence[Tensor]) -> Sequence[Tensor]:
        """Standardise several batches, each by its own statistics.

        Args:
            batches (sequence of Tensor): Features, (N, in_channels) each.

        Returns:
            sequence of Tensor: (N, in_channels) each.
        """
        return [self(batch) for batch in batches]
