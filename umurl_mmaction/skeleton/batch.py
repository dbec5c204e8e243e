"""Types of samples and batches.

A sample is a :class:`RaggedClip`, :class:`ClipIndex`, :class:`Views` or
:class:`Streams`, or a tensor of joints with MMAction2's clip axis,
(num_clips, M, T, V, C). A batch has the type of its samples, except that
ragged clips become :class:`PackedClips` and indices :class:`ClipIndices`.
"""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class RaggedClip(NamedTuple):
    """A clip with its own number of frames and bodies.

    Attributes:
        joints (Tensor): (M, T, V, C).
    """
    joints: Tensor


class ClipIndex(NamedTuple):
    """The index of a clip that is kept on the device.

    Attributes:
        position (int): Its position in the training set.
    """
    position: int


class ClipIndices(NamedTuple):
    """The indices of clips that are kept on the device.

    Attributes:
        indices (Tensor): (N, ), int64.
    """
    indices: Tensor


class Views(list):
    """Joints of several views: a tensor (M, T, V, C) each, or (N, ...)."""


class Streams(dict):
    """Streams by modality: (num_clips, M, T, V, C) each, or (N, ...)."""


class PackedClips(NamedTuple):
    """Clips one after the other, without padding.

    Attributes:
        frames (Tensor): (1 + R, V, C), R the sum of M * T over the clips, in
            the order of clips, bodies, frames. Row 0 holds zeros and stands
            for any missing body.
        first_row (Tensor): Row of each clip's first frame, (N, ), int64.
        num_bodies (Tensor): Bodies M of each clip, (N, ), int64.
        num_frames (Tensor): Frames T of each clip, (N, ), int64.
    """
    frames: Tensor
    first_row: Tensor
    num_bodies: Tensor
    num_frames: Tensor

    def select(self, indices: Tensor) -> 'PackedClips':
        """Select clips by indices (K, ), also repeatedly; copy no frames."""
        return PackedClips(self.frames,
                           *(field[indices] for field in self[1:]))

    def body_rows(self, num_person: int) -> Tensor:
        """Return the row of each body's first frame, or 0: (N, M)."""
        body = torch.arange(num_person, device=self.first_row.device)
        rows = self.first_row[:, None] + body * self.num_frames[:, None]
        return rows.masked_fill(body >= self.num_bodies[:, None], 0)


def pack_clips(clips: Sequence[Tensor]) -> PackedClips:
    """Pack clips of different lengths.

    Args:
        clips (sequence of Tensor): (M, T, V, C) each, of the same V, C and
            dtype.

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


def fit_bodies(joints: Tensor, num_person: int) -> Tensor:
    """Pad with zeros, or leave out, bodies up to a fixed number.

    Args:
        joints (Tensor): (..., M, T, V, C).
        num_person (int): Number of bodies of the result.

    Returns:
        Tensor: (..., num_person, T, V, C).
    """
    missing = num_person - joints.shape[-4]
    if missing == 0:
        return joints
    if missing < 0:
        return joints[..., :num_person, :, :, :]
    return F.pad(joints, (0, 0, 0, 0, 0, 0, 0, missing))
