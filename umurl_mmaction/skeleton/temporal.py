"""Resampling in time."""
import torch
from torch import Tensor


def resize(clip: Tensor, clip_len: int) -> Tensor:
    """Linear resize of all frames.

    Half-pixel centres without antialiasing, as
    ``torch.nn.functional.interpolate(mode='linear', align_corners=False)``.
    Tracers can follow it for any number of frames.

    Args:
        clip (Tensor): (..., T, V, C), floating point.
        clip_len (int): Frames wanted.

    Returns:
        Tensor: (..., clip_len, V, C).
    """
    num_frames = clip.shape[-3]
    position = (torch.arange(clip_len, device=clip.device) + 0.5) * (
        num_frames / clip_len) - 0.5
    position = position.clamp(min=0).clamp(max=num_frames - 1)
    left = position.long()
    right = (left + 1).clamp(max=num_frames - 1)
    weight = (position - left).to(clip.dtype)[:, None, None]
    return torch.lerp(clip[..., left, :, :], clip[..., right, :, :], weight)


def crop_resize(clip: Tensor, start: int, length: int,
                clip_len: int) -> Tensor:
    """Linear resize of frames ``start`` .. ``start + length - 1``.

    Args:
        clip (Tensor): (..., T, V, C), floating point.
        start (int): First frame of the crop.
        length (int): Frames in the crop, at least 1.
        clip_len (int): Frames wanted.

    Returns:
        Tensor: (..., clip_len, V, C).

    Raises:
        ValueError: If the crop does not lie in the clip.
    """
    num_frames = clip.shape[-3]
    if length < 1 or start < 0 or start + length > num_frames:
        raise ValueError(f'crop of {length} frames from frame {start} on does '
                         f'not lie in a clip of {num_frames} frames')
    return resize(clip[..., start:start + length, :, :], clip_len)
