"""The paper's names of the weights and ours, for loading either.

Checkpoints of the paper's code (https://github.com/HuiGuanLab/UmURL) have
keys such as ``module.backbone.j_emb.t_embedding.0.weight``; models of this
package load them as they are.
"""
import re
from collections.abc import Mapping
from typing import Any, Optional

from torch import Tensor

MODALITY_LETTERS = dict(j='joint', b='bone', m='motion')
AXIS_LETTERS = dict(t='temporal', s='spatial')

# Start of an official key (without 'module.') and that of ours.
_NAMES: dict[str, str] = {
    **{
        f'backbone.{m}_emb.{a}_embedding.':
        f'backbone.embeddings.{modality}.{axis}.'
        for m, modality in MODALITY_LETTERS.items()
        for a, axis in AXIS_LETTERS.items()
    },
    **{
        f'backbone.mm_fusion.{a}_fusion.0.': f'backbone.fusion.{axis}.'
        for a, axis in AXIS_LETTERS.items()
    },
    **{
        f'backbone.ma_encoder.{a}_tr.': f'backbone.encoder.{axis}.'
        for a, axis in AXIS_LETTERS.items()
    },
    **{
        f'{m}_projector.': f'neck.{modality}.mlp.'
        for m, modality in MODALITY_LETTERS.items()
    },
}

# The position table is a constant that the backbone computes itself.
POSITIONS = 'backbone.ma_encoder.pe.pe'
NUM_POSITIONS = 200


def convert_key(key: str) -> str:
    """Our name of an official weight.

    Args:
        key (str): Official key, with or without the ``module.`` prefix.

    Returns:
        str: The key in a ``UmURL`` model; empty for the position table.

    Raises:
        ValueError: If the key is none of the paper's code.
    """
    stripped = strip_module(key)
    name = our_name(stripped)
    if name is None:
        raise ValueError(f'{stripped!r} is no weight of the UmURL code')
    return name


def our_name(name: str) -> Optional[str]:
    """As ``convert_key``, without ``module.``; None for other keys."""
    if name == POSITIONS:
        return ''
    for official, ours in _NAMES.items():
        if name.startswith(official):
            return ours + name[len(official):]
    return None


def official_name(key: str) -> Optional[str]:
    """The way back, without ``module.``; None for other keys."""
    for official, ours in _NAMES.items():
        if key.startswith(ours):
            return official + key[len(ours):]
    return None


def strip_module(key: str) -> str:
    """Remove what a wrapper for distributed training adds."""
    return re.sub(r'^module\.', '', key)


def convert_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the paper's code to those of ``UmURL``.

    Args:
        state_dict (dict[str, Tensor]): Official weights.

    Returns:
        dict[str, Tensor]: The same tensors under our names.

    Raises:
        ValueError: If a key is none of the paper's code.
    """
    renamed = {convert_key(key): value for key, value in state_dict.items()}
    renamed.pop('', None)
    return renamed


# Loading official files into models


def rename_official(state_dict: dict[str, Tensor], prefix: str, place: str,
                    part: str) -> dict[str, str]:
    """Give official weights our names, in place; for a loading hook.

    Args:
        state_dict (dict[str, Tensor]): Weights that are being loaded.
        prefix (str): Start of the keys of the module with the hook.
        place (str): Start of that module's keys in a ``UmURL`` model.
        part (str): Start of the keys of ours to rename; others stay.

    Returns:
        dict[str, str]: The keys that were renamed: ours -> the file's.
    """
    renamed = {}
    for key in [key for key in state_dict if key.startswith(prefix)]:
        name = place + key[len(prefix):]
        ours = our_name(name)
        if ours and ours.startswith(part):
            ours = prefix + ours[len(place):]
            renamed[ours] = key
            state_dict[ours] = state_dict.pop(key)
        elif name == POSITIONS and name.startswith(part):
            del state_dict[key]
    return renamed


def official_key(key: str, prefix: str, place: str) -> str:
    """How the paper's code calls a weight that a file lacks.

    Args:
        key (str): Key of ours, as in the model that is being loaded.
        prefix (str): Start of the keys of the module with the hook.
        place (str): Start of that module's keys in a ``UmURL`` model.

    Returns:
        str: The official key; ``key`` if the paper's code has none.
    """
    name = official_name(place + key[len(prefix):])
    return key if name is None else prefix + name[len(place):]


def check_shapes(state_dict: Mapping[str, Tensor], own: Mapping[str, Tensor],
                 file_keys: Mapping[str, str], owner: str, hint: str) -> None:
    """Refuse weights whose shape is another than the model's.

    Args:
        state_dict (dict[str, Tensor]): Weights that are being loaded.
        own (dict[str, Tensor]): Weights of the model; where only one of the
            two has a key, nothing is checked.
        file_keys (dict[str, str]): Renamed keys, as ``rename_official`` gives.
        owner (str): Class of the model.
        hint (str): What has to be changed.

    Raises:
        ValueError: Naming the first key and its two shapes.
    """
    for key, value in own.items():
        if key in state_dict and state_dict[key].shape != value.shape:
            raise ValueError(
                f'the checkpoint has {file_keys.get(key, key)} of shape '
                f'{tuple(state_dict[key].shape)}, this {owner} wants '
                f'{tuple(value.shape)}; {hint}')


def prefix_in_file(checkpoint: Mapping[str, Any], prefix: str) -> str:
    """How the keys that start with ``prefix`` start in a file.

    Args:
        checkpoint (dict): What the file holds.
        prefix (str): Start of the wanted keys, as ``'backbone.'``.

    Returns:
        str: ``prefix``, or, in a file of a model that was wrapped for
        distributed training as the paper's are, ``'module.' + prefix``.

    Raises:
        ValueError: If no key of the file starts like this.
    """
    keys = list(checkpoint.get('state_dict', checkpoint))
    for candidate in (prefix, f'module.{prefix}'):
        if any(key.startswith(candidate) for key in keys):
            return candidate
    raise ValueError(f'the checkpoint has no key that starts with {prefix!r}; '
                     f'its first key is {next(iter(keys), None)!r}')
