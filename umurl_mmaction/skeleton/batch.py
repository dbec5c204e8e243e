"""Types that say what a sample or a batch holds.

A transform packs a sample as one of :class:`RaggedClip`, :class:`ClipIndex`,
:class:`Views`, :class:`Streams`, or as a tensor of joints with MMAction2's
clip axis, (num_clips, M, T, V, C). A batch has the type of its samples, but
ragged clips are packed (:class:`PackedClips`) and indices are stacked
(:class:`ClipIndices`).
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
        index (int): Its place in the training set.
    """
    index: int


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
        frames (Tensor): (1 + R, V, C), R the sum of M * T over the clips. Row
            0 is zeros and stands for any missing body. The frames of a body
            follow each other, so do the bodies of a clip, and the clips.
        first_row (Tensor): Row of each clip's first frame, (N, ), int64.
        num_bodies (Tensor): Bodies M of each clip, (N, ), int64.
        num_frames (Tensor): Frames T of each clip, (N, ), int64.
    """
    frames: Tensor
    first_row: Tensor
    num_bodies: Tensor
    num_frames: Tensor

    def select(self, indices: Tensor) -> 'PackedClips':
        """Select clips by their indices (K, ), without copying frames.

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


def fit_bodies(joints: Tensor, num_person: int) -> Tensor:
    """Bring a clip to a fixed number of bodies.

    Args:
        joints (Tensor): (..., M, T, V, C).
        num_person (int): Bodies wanted.

    Returns:
        Tensor: (..., num_person, T, V, C): missing bodies are zeros, bodies
        beyond ``num_person`` are left out.
    """
    missing = num_person - joints.shape[-4]
    if missing == 0:
        return joints
    if missing < 0:
        return joints[..., :num_person, :, :, :]
    return F.pad(joints, (0, 0, 0, 0, 0, 0, 0, missing))
