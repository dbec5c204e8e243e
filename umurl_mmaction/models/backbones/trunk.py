"""Backbones of MMAction2's registry that take (N, M, T, V, C)."""
import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ...skeleton.layout import LAYOUTS, Layout
from ..layers.sync_batch_norm import synchronize_batch_norms

# The layouts of MMAction2's `Graph`. Its `nturgb+d` hangs the finger tips on
# the hands; stock models have its graph.
_STOCK_GRAPHS = ('coco', 'nturgb+d', 'openpose')


def build_trunk(trunk: Mapping, layout: Layout,
                input_shape: Sequence[int]) -> nn.Module:
    """Build a backbone for a layout, with synchronised batch norms.

    Args:
        trunk (dict): Its config. ``graph_cfg.layout``, ``in_channels`` and
            ``num_person`` are set here, if the class has such arguments.
        layout (Layout): The skeleton.
        input_shape (sequence of int): (M, T, V, C) of the trunk's input.

    Raises:
        ValueError: If the config sets what is set here, or the layout has no
            bones.
        KeyError: If there is no such backbone.
    """
    settings = dict(trunk)
    graph_cfg = dict(settings.get('graph_cfg') or {})
    for key, given in (('in_channels', settings), ('num_person', settings),
                       ('layout', graph_cfg)):
        if key in given:
            raise ValueError(f'{key}={given[key]!r} is not wanted in the '
                             "trunk: it follows the encoder's settings")
    num_person, _, _, in_channels = input_shape
    kind = MODELS.get(settings['type'])
    if kind is None:
        raise KeyError(f'{settings["type"]!r} is no model of MMAction2\'s '
                       'registry')
    known = inspect.signature(kind).parameters
    if 'graph_cfg' in known:
        stock = (
            layout.name in _STOCK_GRAPHS and layout == LAYOUTS[layout.name])
        settings['graph_cfg'] = dict(
            graph_cfg, layout=layout.name if stock else layout.graph)
    for key, value in dict(
            in_channels=in_channels, num_person=num_person).items():
        if key in known:
            settings[key] = value
    model = MODELS.build(settings)
    synchronize_batch_norms(model)
    return model


@torch.no_grad()
def output_channels(trunk: nn.Module, input_shape: Sequence[int]) -> int:
    """Find the channels of a trunk's output, by a clip of zeros.

    Args:
        trunk (nn.Module): Its weights and statistics stay as they are.
        input_shape (sequence of int): (M, T, V, C).

    Returns:
        int: C' of the output (N, M, C', T', V').

    Raises:
        ValueError: If the trunk does not take such clips, gives something
            else, or strides over more frames than there are.
    """
    name = type(trunk).__name__
    shape = (1, *input_shape)
    too_short: list[str] = []

    def check_stride(place: str, module: nn.Module, inputs: Any) -> None:
        stride: Any = module.stride
        if not isinstance(stride, int):
            stride = stride[0]
        frames = inputs[0].shape[-2]
        if frames < stride:
            too_short.append(f'its {place} gets {frames} of the '
                             f'{stride} frames of its stride')

    hooks = [
        module.register_forward_pre_hook(partial(check_stride, place))
        for place, module in trunk.named_modules()
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d))
    ]
    was_training = trunk.training
    trunk.eval()
    try:
        output = trunk(torch.zeros(shape))
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise ValueError(f'trunk {name} does not take clips (N, M, T, V, C) = '
                         f'{shape}: {reason}') from error
    finally:
        for hook in hooks:
            hook.remove()
        trunk.train(was_training)
    if (not isinstance(output, Tensor) or output.ndim != 5
            or output.shape[:2] != shape[:2]):
        found = (
            tuple(output.shape)
            if isinstance(output, Tensor) else type(output).__name__)
        raise ValueError(f'trunk {name} maps clips (N, M, T, V, C) = {shape} '
                         f"to {found}, wanted is (N, M, C', T', V')")
    if too_short:
        raise ValueError(f'clip_len={input_shape[1]} is too short for trunk '
                         f'{name}: {too_short[0]}')
    return output.shape[2]
