"""The checks that weights fit a model, and that a checkpoint has them all."""
from collections.abc import Mapping
from typing import Optional

from torch import Tensor, nn

from .names import official_name, our_name, strip_module

_HINT = 'its settings must be those of the pre-training'


def check_weights(module: nn.Module,
                  state_dict: dict[str, Tensor],
                  prefix: str,
                  *,
                  part: str = '',
                  required: Optional[str] = '',
                  size_hint: str = _HINT,
                  depth_hint: str = _HINT,
                  official: Optional[str] = None) -> None:
    """Refuse weights of another model or of another size.

    Call it from a hook of ``_register_load_state_dict_pre_hook``. torch's own
    check names no settings, and MMEngine only logs its result.

    Args:
        module (nn.Module): The module that takes the weights.
        state_dict (dict[str, Tensor]): The weights. The paper's names become
            the names of this package, in place.
        prefix (str): The start of the module's keys in ``state_dict``.
        part (str): The start of the weights to check, such as ``'neck.'``.
            Defaults to '': all weights.
        required (str, optional): The start of the weights that neither side
            may lack, such as ``'encoder.'``; the others depend on the
            modalities. Defaults to '': all weights; None requires no weight.
        size_hint (str): What to change if a shape differs.
        depth_hint (str): What to change if a weight is missing or too many.
        official (str, optional): The start of the module's keys in a
            ``UmURL`` model, such as ``'backbone.'``, if the paper's code has
            the module. Defaults to None: the paper's names are not read.

    Raises:
        ValueError: The message names the first key that is missing, unknown
            or of another shape, both shapes, and the settings to change.
    """
    file_keys: dict[str, str] = {}
    if official is not None:
        file_keys = _rename_official(state_dict, prefix, official, part)
    owner = type(module).__name__
    own = {
        key: tuple(value.shape)
        for key, value in module.state_dict(prefix=prefix).items()
        if key.startswith(prefix + part)
    }
    if required is not None and own and not any(key in state_dict
                                                for key in own):
        key, shape = next(iter(own.items()))
        # A parent module passes on only the keys that start with the prefix.
        found = (f'got keys like {next(iter(state_dict))!r}'
                 if state_dict else f'got none in {prefix!r}')
        raise ValueError(f'the checkpoint holds no weight of {owner}: wanted '
                         f'are keys like {key!r} of shape {shape}, {found}')
    for key, shape in own.items():
        if key in state_dict and tuple(state_dict[key].shape) != shape:
            raise ValueError(
                f'the checkpoint has {file_keys.get(key, key)} of shape '
                f'{tuple(state_dict[key].shape)}, this {owner} wants {shape}; '
                f'{size_hint}')
    if required is None:
        return
    start = prefix + required
    for key, shape in own.items():
        if key not in state_dict and (file_keys or key.startswith(start)):
            if official is not None and file_keys:
                name = official_name(official + key[len(prefix):])
                key = prefix + name[len(official):] if name else key
            raise ValueError(
                f'the checkpoint has no {key}, this {owner} wants it of shape '
                f'{shape}; {depth_hint}, and the file whole')
    for key, value in state_dict.items():
        if key.startswith(start) and key not in own:
            raise ValueError(
                f'the checkpoint has {file_keys.get(key, key)} of shape '
                f'{tuple(value.shape)}, this {owner} has no such weight; '
                f'{depth_hint}')


def load_all_weights(model: nn.Module,
                     weights: Mapping[str, Tensor],
                     source: str,
                     prefix: str = '') -> None:
    """Load weights into a model, and refuse if it would keep some of its own.

    MMEngine's loading keeps random weights if the checkpoint lacks some.

    Args:
        model (nn.Module): The model, or the part of it at ``prefix``.
        weights (dict[str, Tensor]): The weights of a checkpoint of ours or of
            the paper's code; those that the model does not have are left out.
        source (str): Name of the checkpoint, for the message.
        prefix (str): The start of the model's keys, such as ``'backbone.'``.
            Defaults to ''.

    Raises:
        ValueError: If the checkpoint lacks a weight of the model or has one
            of another shape.
    """
    own = {
        strip_module(key)[len(prefix):]: value
        for key, value in weights.items()
        if strip_module(key).startswith(prefix)
    }
    # The encoder checks its own weights on loading.
    check_weights(
        model,
        own,
        '',
        part='cls_head.',
        required=None,
        size_hint='num_classes and in_channels must be those of the training')
    missing = model.load_state_dict(own, strict=False).missing_keys
    if missing:
        raise ValueError(
            f'{source} has no {prefix}{missing[0]}, which this '
            f'{type(model).__name__} needs; a classifier is in checkpoints of '
            'linear and fine-tuning runs only, and every modality of the '
            'config must be one of the pre-training')


def _rename_official(state_dict: dict[str, Tensor], prefix: str, place: str,
                     part: str) -> dict[str, str]:
    """Rename the paper's weights in place; return our keys -> the file's."""
    renamed = {}
    for key in [key for key in state_dict if key.startswith(prefix)]:
        name = place + key[len(prefix):]
        ours = our_name(name)
        if ours is None or not (ours or name).startswith(place + part):
            continue
        value = state_dict.pop(key)
        # The position table has no name.
        if ours:
            ours = prefix + ours[len(place):]
            renamed[ours] = key
            state_dict[ours] = value
    return renamed
