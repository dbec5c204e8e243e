"""The paper's normalisation on batches, for models that are exported.

The same as ``normalize.py`` does to one clip in numpy, without loops and
branches on the data, so that ``torch.export`` and ``torch.jit.trace`` can
follow it. Only operations that ONNX has; all in the dtype of the input.
"""
import torch
from torch import Tensor

from .layout import Layout


def repair_missing_frames_batch(joints: Tensor) -> Tensor:
    """As ``repair_missing_frames``, for every clip of a batch.

    Args:
        joints (Tensor): (N, M, T, V, C).

    Returns:
        Tensor: (N, M, T, V, C), of the same dtype.
    """
    num_frames = joints.shape[2]
    present = (joints != 0).flatten(3).any(dim=-1)
    frame = torch.arange(num_frames, device=joints.device)
    # Of a body that starts late: its frames in order, the empty ones last.
    order = torch.argsort(frame + num_frames * (~present).long(), dim=-1)
    count = present.sum(dim=-1, keepdim=True).clamp(min=1)
    late = order.gather(-1, frame % count)
    # Of one that is there at once: up to its last frame, then again.
    end = (present * (frame + 1)).amax(dim=-1, keepdim=True).clamp(min=1)
    source = torch.where(present[..., :1], frame % end, late)
    return joints.gather(2, source[..., None, None].expand_as(joints))


def rotations_onto_x(vectors: Tensor) -> Tensor:
    """As ``rotation_onto_x``, for every vector: (N, 3) -> (N, 3, 3)."""
    length = vectors.norm(dim=-1, keepdim=True)
    x, y, z = (vectors / length.clamp(min=1e-6)).unbind(dim=-1)
    # 1 / (1 + x); towards x = -1, where that cancels, from y and z.
    sine2 = y * y + z * z
    factor = torch.where(x < 0, (1 - x) / sine2.clamp(min=1e-12),
                         1 / (1 + x.clamp(min=0)))
    rotation = torch.stack([
        x, y, z, -y, 1 - y * y * factor, -y * z * factor, -z,
        -y * z * factor, 1 - z * z * factor
    ], dim=-1)
    half_turn = rotation.new_tensor([-1., 0, 0, 0, 1, 0, 0, 0, -1])
    identity = rotation.new_tensor([1., 0, 0, 0, 1, 0, 0, 0, 1])
    backwards = ((x < 0) & (sine2 < 2e-12))[:, None]
    rotation = torch.where(backwards, half_turn, rotation)
    rotation = torch.where(length < 1e-6, identity, rotation)
    return rotation.unflatten(-1, (3, 3))


def align_bodies_batch(joints: Tensor, layout: Layout) -> Tensor:
    """As ``align_bodies``, for every clip of a batch.

    Args:
        joints (Tensor): (N, M, T, V, C).
        layout (Layout): Gives the centre joint, and the shoulders if bodies
            are to be rotated (C = 3 only).

    Returns:
        Tensor: (N, M, T, V, C), of the same dtype.
    """
    present = (joints != 0).any(dim=-1, keepdim=True)
    center = joints[:, :1, :, layout.center:layout.center + 1]
    aligned = (joints - center) * present
    if layout.shoulders is None or joints.shape[-1] != 3:
        return aligned
    start, end = layout.shoulders
    rotation = rotations_onto_x(aligned[:, 0, 0, end] -
                                aligned[:, 0, 0, start])
    return aligned @ rotation.transpose(1, 2)[:, None, None]


def normalize_batch(joints: Tensor, layout: Layout) -> Tensor:
    """As the transform ``SkeletonPreNormalize``, for every clip of a batch.

    Args:
        joints (Tensor): (N, M, T, V, C); missing bodies, frames and joints
            are zeros.
        layout (Layout): The skeleton.

    Returns:
        Tensor: (N, M, T, V, C), of the same dtype.
    """
    return align_bodies_batch(repair_missing_frames_batch(joints), layout)
