from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import MODELS
from torch import Tensor

from .base import SkeletonEncoder


@MODELS.register_module()
class RawJoints(SkeletonEncoder):
    """The coordinates themselves as feature, to compare encoders with.

    The streams of the given modalities are flattened and concatenated. The
    encoder has no weights.

    Args:
        modalities (sequence of str): Defaults to ``('joint', )``.
        kwargs: Settings of :class:`SkeletonEncoder`, except for
            ``out_channels``.
    """

    def __init__(self,
                 modalities: tuple[str, ...] = ('joint', ),
                 **kwargs: Any) -> None:
        super().__init__(out_channels=0, modalities=modalities, **kwargs)
        num_person, clip_len, num_joints, in_channels = self.input_shape
        self.out_channels = (
            len(modalities) * num_person * clip_len * num_joints *
            in_channels)

    def encode(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Flatten streams (N, M, T, V, C) to (N, out_channels)."""
        return torch.cat([x.flatten(1) for x in streams.values()], dim=1)
