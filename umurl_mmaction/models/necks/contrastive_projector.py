from collections.abc import Sequence
from typing import Optional

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class ContrastiveProjector(BaseModule):
    """Linear-ReLU-Linear: MoCo v2's projector, and HiCo's.

    Args:
        in_channels (int): Channels of the feature, or of a part of it.
        out_channels (int): Channels of the projection. Defaults to 128.
        hidden_channels (int, optional): Defaults to ``in_channels``.
        init_cfg (dict, optional): MMEngine's initialisation.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int = 128,
                 hidden_channels: Optional[int] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_channels = in_channels
        hidden = hidden_channels or in_channels
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.ReLU(inplace=True),
            nn.Linear(hidden, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Project features: (..., in_channels) -> (..., out_channels)."""
        return self.mlp(x)

    def forward_batches(self, batches: Sequence[Tensor]) -> Sequence[Tensor]:
        """Project several batches in one call: (N, in_channels) each."""
        return self(torch.stack(tuple(batches))).unbind()
