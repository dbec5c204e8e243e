"""Spatial augmentations: a linear map for each joint of a clip.

Maps multiply row vectors, so that those of successive augmentations are
multiplied from left to right and applied once.
"""
import torch
from torch import Tensor


def corruption_map(joints: Tensor, matrix: Tensor) -> Tensor:
    """Multiply the given joints, as row vectors, by one matrix.

    Args:
        joints (Tensor): Whether to change each joint, (..., V), bool.
        matrix (Tensor): (..., C, C); zeros set the joints to 0.

    Returns:
        Tensor: Maps (..., V, C, C), the identity for the other joints.
    """
    identity = torch.eye(
        matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.where(joints[..., None, None], matrix.unsqueeze(-3), identity)


def shear_map(matrix: Tensor, num_joints: int) -> Tensor:
    """Multiply every joint, as a column vector, by one matrix.

    Args:
        matrix (Tensor): (..., C, C).
        num_joints (int): Joints V.

    Returns:
        Tensor: Maps (..., V, C, C).
    """
    maps = matrix.transpose(-1, -2).unsqueeze(-3)
    return maps.expand(*maps.shape[:-3], num_joints, -1, -1)


def map_joints(clip: Tensor, maps: Tensor) -> Tensor:
    """Multiply each joint, as a row vector, by its map.

    Args:
        clip (Tensor): (..., M, T, V, C).
        maps (Tensor): (..., V, C, C).

    Returns:
        Tensor: A new tensor of the shape and dtype of ``clip``.
    """
    # Term by term: a matrix product would take the precision of an autocast
    # or of TF32, and is no faster for matrices as small as these.
    rows = maps.to(clip.dtype)[..., None, None, :, :, :].unbind(-2)
    parts = clip.unsqueeze(-1).unbind(-2)
    mapped = parts[0] * rows[0]
    for part, row in zip(parts[1:], rows[1:]):
        mapped = torch.addcmul(mapped, part, row)
    return mapped
