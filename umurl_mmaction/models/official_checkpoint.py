"""Names of the weights in the checkpoints of the paper's code.

Those files hold ``{'epoch', 'state_dict', 'optimizer'}`` with keys such as
``module.backbone.j_emb.t_embedding.0.weight``
(https://github.com/HuiGuanLab/UmURL).
"""
import re

from torch import Tensor

_MODALITIES = dict(j='joint', b='bone', m='motion')
_AXES = dict(t='temporal', s='spatial')

# Pattern of an official key (without 'module.') and the key of ours.
_RULES: list[tuple[str, str]] = [
    (rf'backbone\.{m}_emb\.{a}_embedding\.(.+)',
     rf'backbone.embeddings.{modality}.{axis}.\1')
    for m, modality in _MODALITIES.items() for a, axis in _AXES.items()
] + [
    (rf'backbone\.mm_fusion\.{a}_fusion\.0\.(.+)',
     rf'backbone.fusion.{axis}.\1') for a, axis in _AXES.items()
] + [
    (rf'backbone\.ma_encoder\.{a}_tr\.(.+)', rf'backbone.encoder.{axis}.\1')
    for a, axis in _AXES.items()
] + [(rf'{m}_projector\.(.+)', rf'neck.{modality}.mlp.\1')
     for m, modality in _MODALITIES.items()]

# The position table is a constant that the backbone computes itself.
_DROPPED = 'backbone.ma_encoder.pe.pe'


def convert_key(key: str) -> str:
    """Our name of an official weight.

    Args:
        key (str): Official key, with or without the ``module.`` prefix.

    Returns:
        str: The key in a ``UmURL`` model; empty for the position table.

    Raises:
        ValueError: If the key is none of the paper's code.
    """
    key = re.sub(r'^module\.', '', key)
    if key == _DROPPED:
        return ''
    for pattern, replacement in _RULES:
        if re.fullmatch(pattern, key):
            return re.sub(pattern, replacement, key)
    raise ValueError(f'{key!r} is no weight of the UmURL code')


def convert_state_dict(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
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
