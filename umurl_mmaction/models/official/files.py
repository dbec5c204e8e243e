"""Checkpoint files of the paper's code: their sizes, and their conversion.

Such a file is a dict of ``epoch``, ``state_dict`` and ``optimizer``.
"""
import copy
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..layers.positions import sinusoidal_positions
from ..layers.transformer import TransformerEncoder
from .names import (
    MODALITY_LETTERS,
    NUM_POSITIONS,
    POSITIONS,
    official_name,
    our_name,
    strip_module,
)


class Size(NamedTuple):
    """Sizes of a model, which follow from the shapes of its weights.

    Attributes:
        embed_dims (int): Width of the encoder.
        num_layers (int): Transformer layers of each axis.
        modalities (tuple[str]): Names of the embedded modalities.
        temporal_channels (int): num_person * joints * C.
        spatial_channels (int): clip_len * C.
        projector (tuple[int]): Widths of a projector: its input and the
            outputs of its three linear layers; empty without projectors.
    """
    embed_dims: int
    num_layers: int
    modalities: tuple[str, ...]
    temporal_channels: int
    spatial_channels: int
    projector: tuple[int, ...]


def is_official(checkpoint: Any) -> bool:
    """Tell a checkpoint of the paper's code from one of this package.

    Args:
        checkpoint (Any): The content of the file.

    Returns:
        bool: True for the paper's code, False for this package, also with
        another encoder, or for another model with a ``backbone``.

    Raises:
        ValueError: If the file is neither.
    """
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f'it holds a {type(checkpoint).__name__}, not a dict')
    state_dict = checkpoint.get('state_dict')
    if not isinstance(state_dict, Mapping):
        raise ValueError("it has no 'state_dict'; its first key is "
                         f'{next(iter(checkpoint), None)!r}')
    if not state_dict:
        raise ValueError("its 'state_dict' is empty")
    if any(official_name(str(key)) for key in state_dict):
        return False
    if any(our_name(str(key)) for key in state_dict):
        return True
    if any(strip_module(str(key)).startswith('backbone.')
           for key in state_dict):
        return False
    raise _unknown(*next(iter(state_dict.items())))


def measure(checkpoint: Mapping[str, Any]) -> Size:
    """Read the sizes of a checkpoint from its weights, and check them all.

    Args:
        checkpoint (dict): The content of a file of either kind. A file of
            this package may lack modalities or the projectors, and may have
            other weights outside ``backbone`` and ``neck``.

    Returns:
        Size: Sizes with which every weight agrees.

    Raises:
        ValueError: The message names the first key that is unknown, missing
            or of another shape, and the shapes.
    """
    official = is_official(checkpoint)
    # The file's key and the shape of each official name.
    keys: dict[str, str] = {}
    shapes: dict[str, Any] = {}
    for key, value in checkpoint['state_dict'].items():
        name = strip_module(key) if official else official_name(key) or ''
        if our_name(name) is not None:
            keys[name], shapes[name] = key, _shape(value)
        elif official or key.startswith(('backbone.', 'neck.')):
            raise _unknown(key, value)

    size = _infer(shapes, official)
    wanted = _shapes(size)
    for name, shape in wanted.items():
        if name == POSITIONS and not official:
            continue
        if name not in shapes:
            raise _missing(name, shape, official)
        if shapes[name] != shape:
            raise ValueError(f'{keys[name]} has shape {shapes[name]}, the '
                             f'other weights want {shape}')
    for name, key in keys.items():
        if name not in wanted:
            raise ValueError(f'{key} of shape {shapes[name]} is no weight of '
                             'a UmURL model of this size')
    return size


def to_ours(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a checkpoint of the paper's code without loss.

    Args:
        checkpoint (dict): The content of the official file.

    Returns:
        dict: ``state_dict`` with our names, and ``meta`` with ``epoch`` and
        ``official``. The latter is the official file without the weights in
        ``state_dict``, for the way back.

    Raises:
        ValueError: If a weight is unknown, missing or of another shape.
    """
    if not is_official(checkpoint):
        raise ValueError('its weights have our names already')
    measure(checkpoint)
    state_dict = {}
    # The position table stays in the rest: the last bits of a computed one
    # depend on the machine.
    rest = copy.copy(checkpoint['state_dict'])
    for key, value in checkpoint['state_dict'].items():
        name = our_name(key)
        if name:
            state_dict[name] = value
            rest[key] = None
    official = {**checkpoint, 'state_dict': rest}
    return dict(
        meta=dict(epoch=checkpoint.get('epoch'), official=official),
        state_dict=state_dict)


def to_official(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a checkpoint of this package to the format of the paper's code.

    Args:
        checkpoint (dict): The result of :func:`to_ours`, or a checkpoint of a
            pre-training run.

    Returns:
        dict: The content of the official file. For a pre-training run, it has
        ``epoch`` and ``state_dict`` but no optimizer, because the paper's
        code counts the parameters in another order.

    Raises:
        ValueError: If a weight is unknown, missing or of another shape.
    """
    if is_official(checkpoint):
        raise ValueError("its weights have the paper's names already")
    size = measure(checkpoint)
    ours = checkpoint['state_dict']
    for key, value in ours.items():
        if official_name(key) is None:
            raise _unknown(key, value)
    width = 2 * size.embed_dims
    wanted = _shapes(
        size._replace(
            modalities=tuple(MODALITY_LETTERS.values()),
            projector=size.projector or (width, width, width, 4096)))
    for name, shape in wanted.items():
        if name != POSITIONS and our_name(name) not in ours:
            raise _missing(name, shape, official=False)

    meta = checkpoint.get('meta') or {}
    if 'official' in meta:
        state_dict = copy.copy(meta['official']['state_dict'])
        for key, value in state_dict.items():
            if value is None:
                state_dict[key] = ours[our_name(key)]
        return {**meta['official'], 'state_dict': state_dict}
    positions = sinusoidal_positions(NUM_POSITIONS, size.embed_dims)
    return dict(
        epoch=meta.get('epoch'),
        state_dict={
            f'module.{name}':
            positions[None] if name == POSITIONS else ours[our_name(name)]
            for name in wanted
        })


def count_parameters(state_dict: Mapping[str, Tensor]) -> int:
    """Count the trained values.

    Args:
        state_dict (dict[str, Tensor]): Weights with names of either kind.

    Returns:
        int: Their number, without running statistics and position table.
    """
    constants = ('running_mean', 'running_var', 'num_batches_tracked', '.pe')
    return sum(
        value.numel() for key, value in state_dict.items()
        if torch.is_tensor(value) and not key.endswith(constants))


def _shapes(size: Size) -> dict[str, tuple[int, ...]]:
    """List shapes by official name without ``module.``, in file order."""
    dims = size.embed_dims
    channels = dict(t=size.temporal_channels, s=size.spatial_channels)
    used = [
        m for m, name in MODALITY_LETTERS.items() if name in size.modalities
    ]
    # The modules of the paper's code, on a device without memory.
    with torch.device('meta'):
        backbone: dict[str, nn.Module] = {
            f'{m}_emb': nn.ModuleDict({
                f'{a}_embedding': nn.Sequential(
                    nn.Linear(channels[a], dims), nn.LayerNorm(dims),
                    nn.ReLU(), nn.Linear(dims, dims))
                for a in channels
            })
            for m in used
        }
        if len(used) > 1:
            backbone['mm_fusion'] = nn.ModuleDict({
                f'{a}_fusion': nn.Sequential(nn.Linear(dims, dims, bias=False))
                for a in channels
            })
        table = torch.empty(1, NUM_POSITIONS, dims)
        backbone['ma_encoder'] = nn.ModuleDict({
            'pe': nn.ParameterDict(dict(pe=table)),
            **{
                f'{a}_tr': TransformerEncoder(dims, 1, size.num_layers)
                for a in channels
            }
        })
        model: dict[str, nn.Module] = dict(backbone=nn.ModuleDict(backbone))
        if size.projector:
            width, out_channels = size.projector[0], size.projector[-1]
            for m in used:
                model[f'{m}_projector'] = nn.Sequential(
                    nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
                    nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
                    nn.Linear(width, out_channels))
        weights = nn.ModuleDict(model).state_dict()
    return {name: tuple(value.shape) for name, value in weights.items()}


def _infer(shapes: Mapping[str, Any], official: bool) -> Size:
    """Infer sizes from a few weights; other weights may contradict them."""

    def width(name: str, axis: int) -> int:
        shape = shapes.get(name)
        if shape is None:
            raise _missing(name, '(*, *)', official)
        if isinstance(shape, str) or len(shape) != 2:
            raise ValueError(f'{_file_key(name, official)} has shape {shape}, '
                             'wanted is (*, *)')
        return shape[axis]

    # The paper's files always hold all modalities and their projectors.
    used = [
        m for m in MODALITY_LETTERS
        if official or any(name.startswith(f'backbone.{m}_emb.')
                           for name in shapes)
    ] or list(MODALITY_LETTERS)
    first = f'backbone.{used[0]}_emb'
    # Counted: a file may name any number. A layer that is not there is missed
    # when the weights are compared.
    layers = set(re.findall(r'^backbone\.ma_encoder\.._tr\.layers\.(\d+)\.',
                            '\n'.join(shapes), re.MULTILINE))
    dims = width(f'{first}.t_embedding.0.weight', 0)
    projector: tuple[int, ...] = ()
    if official or any('_projector.' in name for name in shapes):
        out_channels = width(f'{used[0]}_projector.6.weight', 0)
        projector = (2 * dims, 2 * dims, 2 * dims, out_channels)
    return Size(
        embed_dims=dims,
        num_layers=max(1, len(layers)),
        modalities=tuple(MODALITY_LETTERS[m] for m in used),
        temporal_channels=width(f'{first}.t_embedding.0.weight', 1),
        spatial_channels=width(f'{first}.s_embedding.0.weight', 1),
        projector=projector)


def _shape(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    return f'that of a {type(value).__name__}'


def _file_key(name: str, official: bool) -> Any:
    return f'module.{name}' if official else our_name(name)


def _unknown(key: Any, value: Any) -> ValueError:
    return ValueError(f'{strip_module(str(key))!r} is no weight of the UmURL '
                      f'code; its shape is {_shape(value)}')


def _missing(name: str, shape: Any, official: bool) -> ValueError:
    return ValueError(f'{_file_key(name, official)} is missing; wanted is '
                      f'shape {shape}')
