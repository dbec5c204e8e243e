"""Resampling in time."""
from typing import Union

import torch
from torch import Tensor
from torch.nn import functional as F

from .batch import PackedClips


def resize_taps(length: Tensor,
                clip_len: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the two frames on both sides of each resized frame.

    The positions are those of ``torch.nn.functional.interpolate`` with
    ``mode='linear', align_corners=False``.

    Args:
        length (Tensor): Frames of each crop, (...), int64, at least 1.
        clip_len (int): Frames of the result.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Left frame and right frame, counted
        from the start of the crop, int64, and the weight of the right frame,
        float32; (..., clip_len) each.
    """
    length = length.unsqueeze(-1)
    position = torch.arange(clip_len, device=length.device) + 0.5
    position = (position * (length / clip_len) - 0.5).clamp(min=0)
    position = torch.minimum(position, length - 1)
    left = position.long()
    right = torch.minimum(left + 1, length - 1)
    return left, right, position - left


def resize(clip: Tensor, clip_len: int) -> Tensor:
    """Resize a clip linearly in time; can be traced for any T.

    Args:
        clip (Tensor): (..., T, V, C), floating point.
        clip_len (int): Frames of the result.

    Returns:
        Tensor: (..., clip_len, V, C).
    """
    # T is a tensor here, because tracing makes a constant of a number.
    length = torch.arange(1, clip.shape[-3] + 1, device=clip.device)[-1]
    left, right, weight = resize_taps(length, clip_len)
    return torch.lerp(clip[..., left, :, :], clip[..., right, :, :],
                      weight.to(clip.dtype)[:, None, None])


def crop_resize(clip: Tensor, start: Union[int, Tensor],
                length: Union[int, Tensor], clip_len: int) -> Tensor:
    """Resize frames ``start`` .. ``start + length - 1`` linearly.

    Args:
        clip (Tensor): (..., T, V, C), floating point.
        start (int | Tensor): First frame of the crop.
        length (int | Tensor): Frames of the crop, at least 1.
        clip_len (int): Frames of the result.

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
    """Crop and resize every clip of a batch, as ``crop_resize`` does.

    Args:
        clips (PackedClips): N clips.
        start (Tensor): First frame of each crop, (..., N), int64.
        length (Tensor): Frames of each crop, (..., N), int64. Crops must lie
            in their clips; this is not checked.
        clip_len (int): Frames T of the result.
        num_person (int): Bodies M of the result; missing ones are zeros.

    Returns:
        Tensor: (..., N, M, T, V, C), float32 or wider.
    """
    return weigh_frames(
        clips.frames,
        *crop_resize_taps(clips, start, length, clip_len, num_person))


def crop_resize_taps(clips: PackedClips, start: Tensor, length: Tensor,
                     clip_len: int,
                     num_person: int) -> tuple[Tensor, Tensor]:
    """Find the frames that ``crop_resize_packed`` sums, and their weights.

    The arguments are those of ``crop_resize_packed``.

    Returns:
        tuple[Tensor, Tensor]: Rows of ``clips.frames``, int64, and their
        weights, float32; (..., N, M, T, 2) each.
    """
    left, right, weight = resize_taps(length, clip_len)
    first = clips.body_rows(num_person)
    missing = first == 0
    first = (first + start.unsqueeze(-1)).masked_fill(missing, 0)
    taps = torch.stack([left, right], dim=-1).unsqueeze(-3)
    rows = first[..., None, None] + taps
    rows = rows.masked_fill(missing[..., None, None], 0)
    weights = torch.stack([1 - weight, weight], dim=-1).unsqueeze(-3)
    return rows, weights.expand(rows.shape)


def weigh_frames(frames: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Gather frames and sum them with weights, in one kernel.

    Plain form::

        sums = (frames[rows] * weights[..., None, None]).sum(dim=-3)

    Args:
        frames (Tensor): (R, V, C), floating point.
        rows (Tensor): (..., K), int64.
        weights (Tensor): (..., K).

    Returns:
        Tensor: (..., V, C), float32 or wider.
    """
    flat = frames.flatten(1)
    if flat.dtype.itemsize < 4:
        flat = flat.float()
    sums = F.embedding_bag(
        rows.flatten(0, -2),
        flat,
        mode='sum',
        per_sample_weights=weights.flatten(0, -2).to(flat.dtype))
    return sums.view(*rows.shape[:-1], *frames.shape[1:])
