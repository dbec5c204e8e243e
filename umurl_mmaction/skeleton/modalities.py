"""The table of modalities: functions of joints, by name."""
from collections.abc import Sequence

import torch
from mmengine.registry import Registry
from torch import Tensor

from .layout import Layout

# To add a modality, register a function of (joints, layout) here.
MODALITIES = Registry('skeleton modality')


@MODALITIES.register_module(name='joint')
def joint(joints: Tensor, layout: Layout) -> Tensor:
    """Return the joints themselves: (..., T, V, C) -> same."""
    return joints


@MODALITIES.register_module(name='bone')
def bone(joints: Tensor, layout: Layout) -> Tensor:
    """Subtract each joint's parent; 0 at the root: (..., T, V, C) -> same."""
    return joints - joints[..., list(layout.bone_starts), :]


@MODALITIES.register_module(name='motion')
def motion(joints: Tensor, layout: Layout) -> Tensor:
    """Subtract each frame from the next; 0 at the last: same shape."""
    difference = joints[..., 1:, :, :] - joints[..., :-1, :, :]
    return torch.cat([difference, torch.zeros_like(joints[..., -1:, :, :])],
                     dim=-3)


def check_modalities(modalities: Sequence[str]) -> None:
    """Raise ``ValueError`` unless these are distinct names of the table."""
    known = sorted(MODALITIES.module_dict)
    unknown = [name for name in modalities if name not in known]
    if unknown:
        raise ValueError(f'unknown modality {unknown[0]!r}; known are {known}')
    if not modalities or len(set(modalities)) < len(modalities):
        raise ValueError('one or more distinct modalities are wanted, got '
                         f'{tuple(modalities)}')


def generate_modalities(joints: Tensor, modalities: Sequence[str],
                        layout: Layout) -> dict[str, Tensor]:
    """Generate the streams of the given modalities.

    Args:
        joints (Tensor): Joint coordinates, (..., T, V, C).
        modalities (sequence of str): Names of the table.
        layout (Layout): The skeleton.

    Returns:
        dict[str, Tensor]: A stream per modality, shaped like ``joints``.

    Raises:
        ValueError: If V does not fit the layout, or a name is unknown.
    """
    layout.check(joints.shape, 'the joint array')
    check_modalities(modalities)
    return {
        name: MODALITIES.module_dict[name](joints, layout)
        for name in modalities
    }
