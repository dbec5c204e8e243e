from collections.abc import Mapping, Sequence
from typing import Any, Optional

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
        num_frames (int, optional): Frames of the clip to take, evenly spaced.
            Defaults to all.
        kwargs: Settings of :class:`SkeletonEncoder`, except for
            ``out_channels``.
    """

    def __init__(self,
                 modalities: Sequence[str] = ('joint', ),
                 num_frames: Optional[int] = None,
                 **kwargs: Any) -> None:
        super().__init__(out_channels=0, modalities=modalities, **kwargs)
        num_person, clip_len, num_joints, in_channels = self.input_shape
        num_frames = min(num_frames or clip_len, clip_len)
        self.frames = torch.linspace(0, clip_len - 1, num_frames).round().long(
        ).tolist()
        self.out_channels = (
            len(modalities) * num_person * num_frames * num_joints *
            in_channels)

    @classmethod
    def like(cls,
             encoder: SkeletonEncoder,
             num_frames: Optional[int] = None) -> 'RawJoints':
        """Make raw joints of the inputs that an encoder takes.

        Args:
            encoder (SkeletonEncoder): Gives the layout and the input shape.
            num_frames (int, optional): As above. Defaults to all.
        """
        num_person, clip_len, _, in_channels = encoder.input_shape
        return cls(
            num_frames=num_frames,
            graph_cfg=dict(layout=encoder.layout),
            num_person=num_person,
            clip_len=clip_len,
            in_channels=in_channels)

    def encode(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Flatten streams (N, M, T, V, C) to (N, out_channels)."""
        return torch.cat(
            [x[:, :, self.frames].flatten(1) for x in streams.values()], dim=1)
