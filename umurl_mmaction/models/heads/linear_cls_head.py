from collections.abc import Mapping
from typing import Optional

from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class LinearClsHead(BaseHead):
    """One linear layer on the feature, with softmax cross entropy.

    Args:
        num_classes (int): Number of classes.
        in_channels (int): Channels of the feature.
        loss_cls (dict): Defaults to ``dict(type='CrossEntropyLoss')``.
        average_clips (str, optional): How scores of several clips of a sample
            are averaged: ``'prob'``, ``'score'`` or None. Defaults to
            ``'prob'``.
        init_cfg (dict): Defaults to weights from N(0, 0.01) and zero biases.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_cls: Mapping = dict(type='CrossEntropyLoss'),
        average_clips: Optional[str] = 'prob',
        init_cfg: Mapping = dict(type='Normal', layer='Linear', std=0.01)
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls,
            average_clips=average_clips,
            init_cfg=init_cfg)
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores in float32: (N, in_channels) -> (N, num_classes)."""
        # NumPy, in which MMAction2 counts hits, has no bfloat16.
        return self.fc(x).float()
