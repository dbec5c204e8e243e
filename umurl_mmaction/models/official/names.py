"""Names of the weights in the paper's code and in this package.

Checkpoints of the paper's code (https://github.com/HuiGuanLab/UmURL) have
keys such as ``module.backbone.j_emb.t_embedding.0.weight``. Models of this
package load them without conversion.
"""
import re
from collections.abc import Mapping
from typing import Any, Optional

MODALITY_LETTERS = dict(j='joint', b='bone', m='motion')
AXIS_LETTERS = dict(t='temporal', s='spatial')

# The start of an official key, without 'module.' -> the start of our key.
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

# The position table is a constant, which our backbone computes itself.
POSITIONS = 'backbone.ma_encoder.pe.pe'
NUM_POSITIONS = 200


def strip_module(key: str) -> str:
    """Remove the ``module.`` that distributed training puts before a key."""
    return re.sub(r'^module\.', '', key)


def our_name(key: str) -> Optional[str]:
    """Return our name of an official weight.

    Args:
        key (str): The official key, with or without ``module.``.

    Returns:
        str | None: The key in a ``UmURL`` model; empty for the position
        table; None if the paper's code has no such key.
    """
    key = strip_module(key)
    if key == POSITIONS:
        return ''
    for official, ours in _NAMES.items():
        if key.startswith(official):
            return ours + key[len(official):]
    return None


def official_name(key: str) -> Optional[str]:
    """Return the official name of our weight.

    Args:
        key (str): A key in a ``UmURL`` model.

    Returns:
        str | None: The official key without ``module.``; None if the paper's
        code has no such weight.
    """
    for official, ours in _NAMES.items():
        if key.startswith(ours):
            return official + key[len(ours):]
    return None


def is_pretraining_only(key: str) -> bool:
    """Tell whether only pre-training uses a weight.

    It does if it is of a projector, a loss or a moving average.

    Args:
        key (str): The key in a checkpoint of ours or of the paper's code.
    """
    return (our_name(key) or strip_module(key)).startswith(
        ('neck.', 'part_necks.', 'heads.', 'target.'))


def prefix_in_file(checkpoint: Mapping[str, Any], prefix: str) -> str:
    """Find the prefix of a module's keys in a file.

    Args:
        checkpoint (dict): The content of the file.
        prefix (str): The start of the wanted keys, such as ``'backbone.'``.

    Returns:
        str: ``prefix``, or ``'module.' + prefix`` for a file of a model that
        was wrapped for distributed training, such as the paper's files.

    Raises:
        ValueError: If no key of the file has either prefix.
    """
    keys = list(checkpoint.get('state_dict', checkpoint))
    for candidate in (prefix, f'module.{prefix}'):
        if any(key.startswith(candidate) for key in keys):
            return candidate
    raise ValueError(f'the checkpoint has no key that starts with {prefix!r}; '
                     f'its first key is {next(iter(keys), None)!r}')
