from collections.abc import Sequence
from typing import Optional

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..layers.sync_batch_norm import SyncBatchNorm1d


@MODELS.register_module()
class ModalityProjector(BaseModule):
    """MLP into the space of one modality (``umurl.py`` of the paper's code).

    Linear-BN-ReLU-Linear-BN-ReLU-Linear. It projects the modality's own
    feature and, as feature decomposition, the fused one. The batch statistics
    are those of all ranks.

    Args:
        in_channels (int): Channels of the encoder's feature.
        out_channels (int): Channels of the projection. Defaults to 4096.
        hidden_channels (int, optional): Channels of both hidden layers.
            Defaults to ``in_channels``.
        init_cfg (dict, optional): MMEngine's initialisation.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int = 4096,
                 hidden_channels: Optional[int] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = in_channels
        hidden = hidden_channels or in_channels
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden), SyncBatchNorm1d(hidden),
            nn.ReLU(inplace=True), nn.Linear(hidden, hidden),
            SyncBatchNorm1d(hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Project a batch with its own batch statistics.

        Args:
            x (Tensor): Features, (N, in_channels).

        Returns:
            Tensor: Projections, (N, out_channels).
        """
        return self.mlp(x)

    def forward_batches(self, batches: Sequence[Tensor]) -> Sequence[Tensor]:
        """Project several batches, each with its own batch statistics.

        Plain form: ``[self(batch) for batch in batches]``. Here each linear
        layer runs once, on all batches together.

        Args:
            batches (sequence of Tensor): Features, (N, in_channels) each; N
                may differ.

        Returns:
            sequence of Tensor: Projections, (N, out_channels) each.
        """
        sizes = [len(batch) for batch in batches]
        x = torch.cat(tuple(batches))
        for layer in self.mlp:
            if isinstance(layer, _BatchNorm):
                x = torch.cat([layer(batch) for batch in x.split(sizes)])
            else:
                x = layer(x)
        return x.split(sizes)
