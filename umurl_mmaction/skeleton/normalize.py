"""Normalisation of batches of clips: the paper's with options, and in 2D.

UmURL uses the NTU RGB+D preparation of 2s-AGCN (Shi et al., CVPR 2019),
without its spine rotation. No loop and no branch depends on the data, and all
operations exist in ONNX, so that models can be exported.
"""
from collections.abc import Sequence

import torch
from torch import Tensor

from .layout import Layout


def repair_missing_frames(joints: Tensor) -> Tensor:
    """Fill the missing frames at the start and the end of each body.

    A body that misses frame 0 loses all its empty frames and starts at frame
    0. The frames after its last one repeat the body from its start, in a
    loop. Other empty frames remain.

    Args:
        joints (Tensor): (N, M, T, V, C).

    Returns:
        Tensor: (N, M, T, V, C), of the same dtype.
    """
    num_frames = joints.shape[2]
    present = joints.abs().flatten(3).amax(dim=-1) > 0
    frame = torch.arange(num_frames, device=joints.device)
    # A body that starts at frame 0 keeps its inner gaps.
    end = (present * (frame + 1)).amax(dim=-1, keepdim=True)
    kept = present | (present[..., :1] & (frame < end))
    # The kept frames come first, in order, and are then repeated.
    key = torch.where(kept, frame, frame + num_frames)
    order = torch.argsort(key, dim=-1)
    count = kept.sum(dim=-1, keepdim=True).clamp(min=1)
    source = order.gather(-1, frame % count)
    return joints.gather(2, source[..., None, None].expand_as(joints))


def rotations_onto_x(vectors: Tensor) -> Tensor:
    """Find the smallest rotation that turns each 3D vector onto +x.

    Args:
        vectors (Tensor): (N, 3), float32 or float64.

    Returns:
        Tensor: (N, 3, 3) of the same dtype; the identity for a zero vector,
        half a turn around y for one along -x.
    """
    length = vectors.norm(dim=-1, keepdim=True)
    eye = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    unit = torch.where(length < 1e-6, eye[0], vectors / length)
    x, rest = unit[:, :1], unit[:, 1:]
    height = 1 + x
    if height.dtype == torch.float32:
        # Near x = -1 the sum cancels, hence y^2 + z^2 = (1 - x) (1 + x).
        sine2 = (rest * rest).sum(dim=-1, keepdim=True)
        height = torch.where(x < 0, sine2 / (1 - x), height)
    # With the unit vector u and h = u + e_x, the rotation is
    # I - h h' / (1 + x) + 2 e_x u', and its first row is u'.
    half = torch.cat([height, rest], dim=-1)
    outer = half[:, 1:, None] * (half / height)[:, None]
    rotation = torch.cat([unit[:, None], eye[1:] - outer], dim=1)
    half_turn = eye * vectors.new_tensor([-1., 1., -1.])
    return torch.where(height[..., None] < 1e-12, half_turn, rotation)


def rotations_about_vertical(vectors: Tensor, up: str = 'y') -> Tensor:
    """Find the rotation about the vertical that turns each vector to +x.

    Args:
        vectors (Tensor): (N, 3).
        up (str): The vertical axis, ``'y'`` or ``'z'``. Defaults to ``'y'``.

    Returns:
        Tensor: (N, 3, 3) of the same dtype; afterwards, a vector has x > 0
        and 0 along the other horizontal axis. The identity for a vertical
        vector.
    """
    vertical, other = (1, 2) if up == 'y' else (2, 1)
    flat = vectors[:, [0, other]]
    length = flat.norm(dim=-1, keepdim=True)
    eye = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    unit = torch.where(length < 1e-6, eye[0, :2], flat / length)
    cosine, sine = unit[:, :1], unit[:, 1:]
    rows = {
        0: cosine * eye[0] + sine * eye[other],
        vertical: eye[vertical].expand_as(vectors),
        other: cosine * eye[other] - sine * eye[0]
    }
    return torch.stack([rows[i] for i in range(3)], dim=1)


def align_bodies(joints: Tensor,
                 layout: Layout,
                 rotate_in: torch.dtype = torch.float64,
                 rotation: str = 'full',
                 up: str = 'y') -> Tensor:
    """Centre all bodies on body 0 and turn its shoulder line onto +x.

    Args:
        joints (Tensor): (N, M, T, V, C). Joints at exactly 0 are missing and
            stay 0.
        layout (Layout): Its centre joint, and its shoulders if there are any
            and C = 3, are used.
        rotate_in (torch.dtype): Precision of the rotation. Defaults to
            ``torch.float64``.
        rotation (str): ``'full'``, ``'vertical'`` (about the vertical axis
            alone) or ``'none'``. Defaults to ``'full'``.
        up (str): The vertical axis, ``'y'`` or ``'z'``. Defaults to ``'y'``.

    Returns:
        Tensor: (N, M, T, V, C), of the dtype of ``joints``.
    """
    present = joints.bool().any(dim=-1, keepdim=True)
    center = joints[:, :1, :, layout.center:layout.center + 1]
    aligned = (joints - center) * present
    if (layout.shoulders is None or joints.shape[-1] != 3
            or rotation == 'none'):
        return aligned
    start, end = layout.shoulders
    first = aligned[:, 0, 0]
    line = first[:, end] - first[:, start]
    line = line.to(rotate_in)
    if rotation == 'vertical':
        turns = rotations_about_vertical(line, up)
    else:
        turns = rotations_onto_x(line)
    # One product per clip is several times faster than one per frame.
    turned = aligned.flatten(1, 3).to(rotate_in) @ turns.mT
    return turned.to(joints.dtype).view_as(joints)


def normalize_clips(joints: Tensor,
                    layout: Layout,
                    rotate_in: torch.dtype = torch.float64,
                    rotation: str = 'full',
                    up: str = 'y',
                    scale: float = 1.) -> Tensor:
    """Repair, centre, rotate and scale every clip of a batch.

    Args:
        joints (Tensor): (N, M, T, V, C), float32; missing bodies, frames and
            joints are zeros.
        layout (Layout): The skeleton.
        rotate_in (torch.dtype): Precision of the rotation; exported models
            use ``torch.float32``. Defaults to ``torch.float64``.
        rotation (str): As in :func:`align_bodies`. Defaults to ``'full'``.
        up (str): As there. Defaults to ``'y'``.
        scale (float): The length that becomes 1. Defaults to 1.

    Returns:
        Tensor: (N, M, T, V, C), of the same dtype. Clips without any body
        stay zero.
    """
    aligned = align_bodies(
        repair_missing_frames(joints), layout, rotate_in, rotation, up)
    return aligned if scale == 1 else aligned / scale


def normalize_pixels(joints: Tensor,
                     img_shape: Sequence[int],
                     score_thr: float = 0.) -> Tensor:
    """Scale pixels to -1..1 over the frame; missing joints become zeros.

    A joint is missing if x and y are 0, if one of them is not finite, or if
    its score is not above ``score_thr``.

    Args:
        joints (Tensor): (..., V, C): x, y and, if C = 3, the score.
        img_shape (sequence of int): Height and width of the frame.
        score_thr (float): Largest score of a missing joint. Defaults to 0.

    Returns:
        Tensor: (..., V, C), of the same dtype; the scores as they are, and
        zeros for missing joints.
    """
    height, width = img_shape
    half = joints.new_tensor([width / 2, height / 2])
    scaled = torch.cat(
        [(joints[..., :2] - half) / half, joints[..., 2:]], dim=-1)
    return scaled.masked_fill(~_seen(joints, score_thr), 0)


def normalize_by_body(joints: Tensor, score_thr: float = 0.) -> Tensor:
    """Centre and scale 2D keypoints by the bodies; missing ones stay zeros.

    The origin is the mean of the joints that are there, the unit the height
    that they span, each the mean over all bodies and frames of the clip that
    have joints. What is missing, as in :func:`normalize_pixels`, has no part
    in them. Neither the size of the images nor the distance of the camera is
    left in the result.

    Args:
        joints (Tensor): (..., M, T, V, C): x, y and, if C = 3, the score.
        score_thr (float): Largest score of a missing joint. Defaults to 0.

    Returns:
        Tensor: (..., M, T, V, C), of the same dtype; the scores as they are,
        and zeros for missing joints.
    """
    there = _seen(joints, score_thr)
    # Sums over a clip overflow in half precision.
    dtype = torch.promote_types(joints.dtype, torch.float32)
    pixels = joints[..., :2].to(dtype).masked_fill(~there, 0)
    count = there.sum(dim=-2)
    frames = count > 0
    number = frames.sum(dim=(-3, -2)).clamp(min=1)
    means = pixels.sum(dim=-2) / count.clamp(min=1)
    origin = means.sum(dim=(-3, -2)) / number
    y, far = pixels[..., 1:], torch.finfo(torch.float32).max
    heights = (y.masked_fill(~there, -far).amax(dim=-2)
               - y.masked_fill(~there, far).amin(dim=-2))
    height = heights.masked_fill(~frames, 0).sum(dim=(-3, -2)) / number
    height = torch.where(height > 0, height, torch.ones_like(height))
    scaled = ((pixels - origin[..., None, None, None, :])
              / height[..., None, None, None, :]).to(joints.dtype)
    return torch.cat([scaled, joints[..., 2:]], dim=-1).masked_fill(~there, 0)


def _seen(joints: Tensor, score_thr: float) -> Tensor:
    """Tell which 2D keypoints are there: (..., V, C) -> (..., V, 1)."""
    pixels, scores = joints[..., :2], joints[..., 2:]
    seen = ((pixels != 0).any(dim=-1, keepdim=True)
            & pixels.isfinite().all(dim=-1, keepdim=True))
    return seen & (scores > score_thr) if joints.shape[-1] == 3 else seen
