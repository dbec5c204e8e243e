"""Resampling in time."""
from typing import Union

import torch
from torch import Tensor
from torch.nn import functional as F

from .packed import PackedClips


def resize_taps(length: Tensor,
                clip_len: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two frames that each resized frame lies between.

    Half-pixel centres without antialiasing, as
    ``torch.nn.functional.interpolate(mode='linear', align_corners=False)``.

    Args:
        length (Tensor): Frames of each crop, (...), int64, at least 1.
        clip_len (int): Frames wanted.

    Returns:
        tuple[Tensor, Tensor, Tensor]: The frames on the left and on the
        right, counted from the crop's first one, int64, and the share of the
        right one, float32; (..., clip_len) each.
    """
    length = length.unsqueeze(-1)
    position = torch.arange(clip_len, device=length.device) + 0.5
    position = (position * (length / clip_len) - 0.5).clamp(min=0)
    position = torch.minimum(position, length - 1)
    left = position.long()
    right = torch.minimum(left + 1, length - 1)
    return left, right, position - left


def resize(clip: Tensor, clip_len: int) -> Tensor:
    """Linear resize of all frames; tracers can follow it for any number.

    Args:
        clip (Tensor): (..., T, V, C), floating point.
        clip_len (int): Frames wanted.

    Returns:
        Tensor: (..., clip_len, V, C).
    """
    # T as a tensor: as a number it would be part of what was traced.
    length = torch.arange(1, clip.shape[-3] + 1, device=clip.device)[-1]
    left, right, weight = resize_taps(length, clip_len)
    return torch.lerp(clip[..., left, :, :], clip[..., right, :, :],
                      weight.to(clip.dtype)[:, None, None])


def crop_resize(clip: Tensor, start: Union[int, Tensor],
                length: Union[int, Tensor], clip_len: int) -> Tensor:
    """Linear resize of frames ``start`` .. ``start + length - 1``.

    Args:
        clip (Tensor): (..., T, V, C), floating point.
        start (int | Tensor): First frame of the crop.
        length (int | Tensor): Frames in the crop, at least 1.
        clip_len (int): Frames wanted.

    Returns:
        Tensor: (..., clip_len, V, C).

    Raises:
        ValueError: If the crop does not lie in the clip.
    """
    num_frames = clip.shape[-3]
    start, length = int(start), int(length)
    if length < 1 or start < 0 or start + length > num_frames:
        raise ValueError(f'crop of {length} frames from frame {start} on does '
                         f'not lie in a clip of {num_frames} frames')
    return resize(clip[..., start:start + length, :, :], clip_len)


def crop_resize_packed(clips: PackedClips, start: Tensor, length: Tensor,
                       clip_len: int, num_person: int) -> Tensor:
    """``crop_resize`` of a crop of each clip, at once.

    Args:
        clips (PackedClips): N clips.
        start (Tensor): First frame of each crop, (..., N), int64.
        length (Tensor): Frames in each crop, (..., N), int64. Crops are to
            lie in their clips.
        clip_len (int): Frames T wanted.
        num_person (int): Bodies M wanted; missing ones are zeros.

    Returns:
        Tensor: (..., N, M, T, V, C), float32 or wider.
    """
    left, right, weight = resize_taps(length, clip_len)
    first = clips.body_rows(num_person)
    missing = first == 0
    first = (first + start.unsqueeze(-1)).masked_fill(missing, 0)
    rows = first.unsqueeze(-1) + torch.stack([left, right]).unsqueeze(-2)
    rows = rows.masked_fill(missing.unsqueeze(-1), 0)
    flat = clips.frames.flatten(1)
    if flat.dtype.itemsize < 4:
        flat = flat.float()
    weight = weight.unsqueeze(-2).expand(rows.shape[1:]).flatten()
    # Gathers and weighs both frames in one kernel.
    resized = F.embedding_bag(
        rows.flatten(1).T.contiguous(),
        flat,
        mode='sum',
        per_sample_weights=torch.stack([1 - weight, weight], 1).to(flat.dtype))
    return resized.view(*rows.shape[1:], *clips.frames.shape[1:])
