"""Spatial augmentations with the random choice given."""
from torch import Tensor


def zero_joints(clip: Tensor, joints: Tensor) -> Tensor:
    """Set the given joints to 0 in every frame: (..., V, C) -> same.

    Args:
        clip (Tensor): (..., V, C).
        joints (Tensor): Joint indices, (K, ), int64.

    Returns:
        Tensor: A new tensor, (..., V, C).
    """
    return clip.index_fill(-2, joints, 0)


def transform_joints(clip: Tensor, joints: Tensor, matrix: Tensor) -> Tensor:
    """Multiply the given joints, as row vectors, by a matrix.

    Args:
        clip (Tensor): (..., V, C).
        joints (Tensor): Joint indices, (K, ), int64.
        matrix (Tensor): (C, C).

    Returns:
        Tensor: A new tensor, (..., V, C).
    """
    moved = clip.index_select(-2, joints) @ matrix.to(clip.dtype)
    return clip.index_copy(-2, joints, moved)


def shear(clip: Tensor, matrix: Tensor) -> Tensor:
    """Multiply every joint, as a column vector, by a shear matrix.

    Args:
        clip (Tensor): (..., V, C).
        matrix (Tensor): (C, C).

    Returns:
        Tensor: A new tensor, (..., V, C).
    """
    return clip @ matrix.to(clip.dtype).T
