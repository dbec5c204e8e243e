"""Names of the weights in HiCo's code and in this package.

Checkpoints of https://github.com/HuiGuanLab/HiCo have keys such as
``encoder_q.hi_encoder.t_embedding.0.weight``, for the online network, and
``encoder_k.`` for its moving average. Models of this package load them without
conversion. The queues are left out: training fills new ones.
"""
from typing import Any

from torch import Tensor

from .names import AXIS_LETTERS, strip_module

_NETWORKS = {'encoder_q.': '', 'encoder_k.': 'target.module.'}
_QUEUES = tuple(f'{level}_queue' for level in 'cptsi')
# The start of a key of a network -> the start of ours, of a modality.
_NAMES = {
    **{
        f'hi_encoder.{a}_{official}.': f'backbone.{ours.format(axis)}.'
        for a, axis in AXIS_LETTERS.items()
        for official, ours in {
            'embedding': 'embeddings.{{}}.{}',
            'downsample.conv.dw_conv': 'downsample.{}.conv',
            'downsample.norm': 'downsample.{}.norm',
            'encoder.layers': 'encoder.{}.layers',
        }.items()
    },
    **{
        f'{official}_proj.': f'neck.{level}.mlp.'
        for official, level in dict(
            clip='clip',
            part='part',
            td='temporal',
            sd='spatial',
            instance='instance').items()
    },
}


def is_hico(weights: dict[str, Tensor]) -> bool:
    """Tell whether weights have the names of HiCo's code."""
    return any(
        strip_module(key).startswith('encoder_q.hi_encoder.')
        for key in weights)


def rename_hico(weights: dict[str, Tensor], model: Any) -> None:
    """Give weights of HiCo's code the names of this package, in place.

    Weights of other code stay as they are.

    Args:
        weights (dict[str, Tensor]): The ``state_dict`` of a checkpoint.
        model (nn.Module): The model that takes them; the file does not say of
            which modality they are, so that its encoder must have one alone.

    Raises:
        ValueError: If the encoder has several modalities, or the file another
            encoder than a transformer.
    """
    if not is_hico(weights):
        return
    backbone = getattr(model, 'backbone', None)
    modalities: tuple[str, ...] = getattr(backbone, 'modalities', ())
    if len(modalities) != 1:
        raise ValueError(
            "a checkpoint of HiCo's code has one modality and does not say "
            'which: set model.backbone.modalities to it, such as '
            f"\"('joint',)\", in place of {tuple(modalities)}")
    for key in list(weights):
        name = strip_module(key)
        value = weights.pop(key)
        if not name.startswith(_QUEUES):
            weights[_our_name(name, modalities[0])] = value


def _our_name(name: str, modality: str) -> str:
    for network, prefix in _NETWORKS.items():
        for official, ours in _NAMES.items():
            start = network + official
            if name.startswith(start):
                return prefix + ours.format(modality) + name[len(start):]
    raise ValueError(f"HiCo's transformer has no {name}: of its checkpoints, "
                     'those of recurrent encoders cannot be loaded')
