"""Clips of different lengths in one tensor."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PackedClips(NamedTuple):
    """Clips one after the other, without padding.

    Attributes:
        frames (Tensor): (1 + R, V, C), R the sum of M * T over the clips. Row
            0 is zeros and stands for any missing body; then follows frame
            after frame, body after body, clip after clip.
        first_row (Tensor): Row of each clip's first frame, (N, ), int64.
        num_bodies (Tensor): Bodies M of each clip, (N, ), int64.
        num_frames (Tensor): Frames T of each clip, (N, ), int64.
    """
    frames: Tensor
    first_row: Tensor
    num_bodies: Tensor
    num_frames: Tensor

    def select(self, indices: Tensor) -> 'PackedClips':
        """Some of the clips, by their indices (K, ), without copying any.

        The same clip may be selected several times.
        """
        return PackedClips(self.frames,
                           *(field[indices] for field in self[1:]))

    def body_rows(self, num_person: int) -> Tensor:
        """Row of each body's first frame, 0 for missing bodies: (N, M)."""
        body = torch.arange(num_person, device=self.first_row.device)
        rows = self.first_row[:, None] + body * self.num_frames[:, None]
        return rows.masked_fill(body >= self.num_bodies[:, None], 0)


def pack_clips(clips: Sequence[Tensor]) -> PackedClips:
    """Put clips one after the other.

    Args:
        clips (sequence of Tensor): (M, T, V, C) each, of one V, C and dtype.

    Returns:
        PackedClips: In the dtype and on the device of the clips.
    """
    zeros = clips[0].new_zeros(1, *clips[0].shape[2:])
    frames = torch.cat([zeros, *(clip.flatten(0, 1) for clip in clips)])
    num_bodies, num_frames = torch.tensor(
        [clip.shape[:2] for clip in clips], device=frames.device).unbind(1)
    sizes = num_bodies * num_frames
    return PackedClips(frames, 1 + sizes.cumsum(0) - sizes, num_bodies,
                       num_frames)
