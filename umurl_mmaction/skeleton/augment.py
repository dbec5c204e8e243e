"""Spatial augmentations: a linear map for each joint of a clip.

Maps multiply row vectors. Maps of successive augmentations are multiplied
from left to right and applied once.
"""
from typing import Optional

import torch
from torch import Tensor
from torch.nn import functional as F


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


def map_joints(clip: Tensor,
               maps: Tensor,
               out: Optional[Tensor] = None) -> Tensor:
    """Multiply each joint, as a row vector, by its map.

    Plain form::

        out = torch.einsum('...mtvc,...vcd->...mtvd', clip, maps)

    It is computed as a banded matrix on rows of V * C numbers, diagonal by
    diagonal: the inner loop runs over a row, not over C. A matrix product
    would take the precision of an autocast or of TF32.

    Args:
        clip (Tensor): (..., M, T, V, C).
        maps (Tensor): (..., V, C, C).
        out (Tensor, optional): Another tensor like ``clip``, contiguous, for
            the result. Defaults to a new one.

    Returns:
        Tensor: ``out``.
    """
    num_coords = clip.shape[-1]
    rows = clip.flatten(-2)
    maps = maps.to(clip.dtype)
    out = torch.empty_like(clip) if out is None else out
    mapped = torch.mul(rows, _band(maps, 0), out=out.view(rows.shape))
    for shift in range(1, num_coords):
        mapped[..., :-shift].addcmul_(rows[..., shift:],
                                      _band(maps, shift)[..., :-shift])
        mapped[..., shift:].addcmul_(rows[..., :-shift],
                                     _band(maps, -shift)[..., shift:])
    return out


def _band(maps: Tensor, shift: int) -> Tensor:
    """The weights of number j + shift in number j: (..., 1, 1, V * C)."""
    diagonal = maps.diagonal(-shift, dim1=-2, dim2=-1)
    padded = F.pad(diagonal, (max(-shift, 0), max(shift, 0)))
    return padded.flatten(-2)[..., None, None, :]
