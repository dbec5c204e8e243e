from collections.abc import Sequence
from typing import Optional

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@MODELS.register_module()
class ModalityProjector(BaseModule):
    """MLP into the space of one modality (``umurl.py`` of the paper's code).

    Linear-BN-ReLU-Linear-BN-ReLU-Linear, hidden width = ``in_channels``. It
    projects the modality's own feature and, as feature decomposition, the
    fused one.

    Args:
        in_channels (int): Channels of the encoder's feature.
        out_channels (int): Channels of the projection. Defaults to 4096.
        init_cfg (dict, optional): MMEngine's initialisation.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int = 4096,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.mlp = nn.Sequential(
            nn.Linear(in_channels, in_channels), nn.BatchNorm1d(in_channels),
            nn.ReLU(inplace=True), nn.Linear(in_channels, in_channels),
            nn.BatchNorm1d(in_channels), nn.ReLU(inplace=True),
            nn.Linear(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Project a batch with its own batch statistics.

        Args:
            x (Tensor): Features, (N, in_channels).

        Returns:
            Tensor: Projections, (N, out_channels).
        """
        return self.mlp(x)

    def forward_batches(self, batches: Sequence[Tensor]) -> Sequence[Tensor]:
        """Project batches, each with its own statistics, in one pass.

        Args:
            batches (sequence of Tensor): Features, (N, in_channels) each.

        Returns:
            sequence of Tensor: As ``forward`` of each in turn.
        """
        sizes = [len(batch) for batch in batches]
        x = torch.cat(tuple(batches))
        for layer in self.mlp:
            if isinstance(layer, _BatchNorm):
                x = torch.cat([layer(part) for part in x.split(sizes)])
            else:
                x = layer(x)
        return x.split(sizes)
