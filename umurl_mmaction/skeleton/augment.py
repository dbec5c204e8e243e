"""Spatial augmentations: a linear map for each joint of a clip.

A joint is a row vector and is multiplied by its map. The product of the maps
of several augmentations, from left to right, applies all of them at once.
"""
import torch
from torch import Tensor
from torch.nn import functional as F


def corruption_map(joints: Tensor, matrix: Tensor) -> Tensor:
    """Map the chosen joints, as row vectors, by one matrix.

    Args:
        joints (Tensor): True for the chosen joints, (..., V), bool.
        matrix (Tensor): (..., C, C); zeros set the joints to 0.

    Returns:
        Tensor: Maps (..., V, C, C), the identity for the other joints.
    """
    identity = torch.eye(
        matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.where(joints[..., None, None], matrix.unsqueeze(-3), identity)


def shear_map(matrix: Tensor, num_joints: int) -> Tensor:
    """Map every joint, as a column vector, by one matrix.

    Args:
        matrix (Tensor): (..., C, C).
        num_joints (int): Joints V.

    Returns:
        Tensor: Maps (..., V, C, C).
    """
    maps = matrix.transpose(-1, -2).unsqueeze(-3)
    return maps.expand(*maps.shape[:-3], num_joints, -1, -1)


def rotation_map(angle: Tensor,
                 num_joints: int,
                 num_coords: int,
                 up: str = 'y') -> Tensor:
    """Turn every joint about the vertical.

    In two dimensions the depth is not known, and every map is the identity.

    Args:
        angle (Tensor): Radians, (...).
        num_joints (int): Joints V.
        num_coords (int): Coordinates C, at least 2.
        up (str): The vertical axis, ``'y'`` or ``'z'``. Defaults to ``'y'``.

    Returns:
        Tensor: Maps (..., V, C, C).
    """
    maps = torch.eye(
        num_coords, dtype=angle.dtype,
        device=angle.device).repeat(*angle.shape, 1, 1)
    if num_coords > 2:
        # Horizontal are x and this one.
        other = 2 if up == 'y' else 1
        maps[..., 0, 0] = angle.cos()
        maps[..., 0, other] = angle.sin()
        maps[..., other, 0] = -angle.sin()
        maps[..., other, other] = angle.cos()
    maps = maps.unsqueeze(-3)
    return maps.expand(*maps.shape[:-3], num_joints, -1, -1)


def axis_map(axis: Tensor, num_joints: int, num_coords: int) -> Tensor:
    """Set one coordinate of every joint to 0.

    Args:
        axis (Tensor): The coordinate, (...), int64.
        num_joints (int): Joints V.
        num_coords (int): Coordinates C.

    Returns:
        Tensor: Maps (..., V, C, C).
    """
    kept = torch.arange(num_coords, device=axis.device) != axis[..., None]
    maps = torch.diag_embed(kept.float()).unsqueeze(-3)
    return maps.expand(*maps.shape[:-3], num_joints, -1, -1)


def map_joints(clip: Tensor, maps: Tensor) -> Tensor:
    """Multiply each joint, as a row vector, by its map.

    Plain form::

        out = torch.einsum('...mtvc,...vcd->...mtvd', clip, maps)

    Here a banded matrix multiplies rows of V * C numbers, diagonal by
    diagonal, because loops over C = 3 numbers are slow. A matrix product
    would round to the precision of autocast or TF32.

    Args:
        clip (Tensor): (..., M, T, V, C).
        maps (Tensor): (..., V, C, C).

    Returns:
        Tensor: (..., M, T, V, C).
    """
    num_coords = clip.shape[-1]
    rows = clip.flatten(-2)
    maps = maps.to(clip.dtype)
    mapped = rows * _band(maps, 0)
    for shift in range(1, num_coords):
        mapped[..., :-shift].addcmul_(rows[..., shift:],
                                      _band(maps, shift)[..., :-shift])
        mapped[..., shift:].addcmul_(rows[..., :-shift],
                                     _band(maps, -shift)[..., shift:])
    return mapped.view(clip.shape)


def _band(maps: Tensor, shift: int) -> Tensor:
    """Return the weight of number j + shift in j: (..., 1, 1, V * C)."""
    diagonal = maps.diagonal(-shift, dim1=-2, dim2=-1)
    padded = F.pad(diagonal, (max(-shift, 0), max(shift, 0)))
    return padded.flatten(-2)[..., None, None, :]
