"""Augmentations that know the body: its sides, limbs and missing joints.

A joint with all coordinates at exactly 0 is missing, and stays so.
"""
import torch
from torch import Tensor
from torch.nn import functional as F

from .layout import Layout


def present_joints(joints: Tensor) -> Tensor:
    """Tell which joints are not missing: (..., V, C) -> bool (..., V, 1)."""
    return joints.bool().any(dim=-1, keepdim=True)


def swap_sides(joints: Tensor, layout: Layout, mirror: bool) -> Tensor:
    """Swap left and right joints.

    Args:
        joints (Tensor): (..., V, C).
        layout (Layout): The skeleton.
        mirror (bool): Negate the first coordinate as well.

    Returns:
        Tensor: (..., V, C).
    """
    swapped = joints[..., list(layout.mirrored), :]
    if mirror:
        swapped[..., 0] *= -1
    return swapped


def scale_bones(joints: Tensor, factors: Tensor, layout: Layout) -> Tensor:
    """Change the length of bones by forward kinematics from the centre.

    Bones keep their directions, and the centre its place. A bone with a
    missing end stays as it is. Plain form, from the centre outwards, with
    w the neighbour of v towards the centre::

        shift[v] = shift[w] + (factors[v] - 1) * (joints[v] - joints[w])
        result[v] = joints[v] + shift[v]

    Args:
        joints (Tensor): (N, M, T, V, C).
        factors (Tensor): Factor of the bone between each joint and its
            neighbour towards the centre, (N, V); that of the centre is not
            used.
        layout (Layout): The skeleton.

    Returns:
        Tensor: (N, M, T, V, C).
    """
    center, num_coords = layout.center, joints.shape[-1]
    inner = torch.tensor(layout.inner, device=joints.device)
    present = present_joints(joints)
    ends = present.clone()
    # The normalisation moves the centre to the origin in every frame.
    at_origin = ~present[..., center, :].any(dim=2, keepdim=True)
    ends[..., center, :] |= at_origin
    bones = joints - joints.index_select(-2, inner)
    changes = (factors - 1).to(joints.dtype)[:, None, None, :, None] * bones
    changes *= ends & ends.index_select(-2, inner)
    path = torch.zeros(len(inner), len(inner))
    for v, limb in enumerate(layout.limbs):
        path[list(limb), v] = 1
    # A product of rows of V * C numbers, because many of (V, C) are slow.
    path = torch.kron(path, torch.eye(num_coords)).to(joints)
    shift = F.linear(changes.flatten(-2), path).view_as(joints)
    return joints + shift * present


def add_noise(joints: Tensor, noise: Tensor) -> Tensor:
    """Add noise to the joints that are not missing: (..., V, C) each."""
    return joints + noise.to(joints.dtype) * present_joints(joints)


def hide_joints(joints: Tensor, hidden: Tensor) -> Tensor:
    """Set joints to 0 in all bodies.

    Args:
        joints (Tensor): (N, M, T, V, C).
        hidden (Tensor): True where they are hidden, (N, T, V), bool.

    Returns:
        Tensor: (N, M, T, V, C).
    """
    return joints.masked_fill(hidden[:, None, :, :, None], 0)
