"""Normalisation of batches of clips: the paper's, and that of 2D keypoints.

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


def align_bodies(joints: Tensor,
                 layout: Layout,
                 rotate_in: torch.dtype = torch.float64) -> Tensor:
    """Centre all bodies on body 0 and turn its shoulder line onto +x.

    Args:
        joints (Tensor): (N, M, T, V, C). Joints at exactly 0 are missing and
            stay 0.
        layout (Layout): Its centre joint, and its shoulders if there are any
            and C = 3, are used.
        rotate_in (torch.dtype): Precision of the rotation. Defaults to
            ``torch.float64``.

    Returns:
        Tensor: (N, M, T, V, C), of the dtype of ``joints``.
    """
    present = joints.bool().any(dim=-1, keepdim=True)
    center = joints[:, :1, :, layout.center:layout.center + 1]
    aligned = (joints - center) * present
    if layout.shoulders is None or joints.shape[-1] != 3:
        return aligned
    start, end = layout.shoulders
    first = aligned[:, 0, 0]
    line = first[:, end] - first[:, start]
    rotation = rotations_onto_x(line.to(rotate_in))
    # One product per clip is several times faster than one per frame.
    turned = aligned.flatten(1, 3).to(rotate_in) @ rotation.mT
    return turned.to(joints.dtype).view_as(joints)


def normalize_clips(joints: Tensor,
                    layout: Layout,
                    rotate_in: torch.dtype = torch.float64) -> Tensor:
    """Repair, centre and rotate every clip of a batch.

    Args:
        joints (Tensor): (N, M, T, V, C), float32; missing bodies, frames and
            joints are zeros.
        layout (Layout): The skeleton.
        rotate_in (torch.dtype): Precision of the rotation; exported models
            use ``torch.float32``. Defaults to ``torch.float64``.

    Returns:
        Tensor: (N, M, T, V, C), of the same dtype. Clips without any body
        stay zero.
    """
    return align_bodies(repair_missing_frames(joints), layout, rotate_in)


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
    pixels, scores = joints[..., :2], joints[..., 2:]
    half = joints.new_tensor([width / 2, height / 2])
    present = ((pixels != 0).any(dim=-1, keepdim=True)
               & pixels.isfinite().all(dim=-1, keepdim=True))
    if joints.shape[-1] == 3:
        present = present & (scores > score_thr)
    scaled = torch.cat([(pixels - half) / half, scores], dim=-1)
    return scaled.masked_fill(~present, 0)
