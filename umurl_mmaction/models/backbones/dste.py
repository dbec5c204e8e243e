from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import MODELS
from torch import nn

from ..layers.dense_shift import DenseShiftEncoder
from ..layers.positions import sinusoidal_positions
from .axis_token_encoder import AxisTokenEncoder


@MODELS.register_module()
class DSTE(AxisTokenEncoder):
    """The dense spatio-temporal encoder of USDRL (Weng et al., AAAI 2025).

    Embeddings, fusion, tokens and pooling are UmURL's; other layers lie
    between (``layers/dense_shift`` has their formulas). Positions, along time
    UmURL's and along joints learned ones, are added before each layer.

    The defaults are those of ``options_pretraining.py`` of
    https://github.com/wengwanjiang/USDRL, which trains one encoder for each
    modality. To fuse several, here and there is UmURL's way.

    Args:
        embed_dims (int): Width; the feature has twice as many channels. Even
            and divisible by ``num_heads``. Defaults to 1024.
        num_heads (int): Attention heads. Defaults to 1.
        num_layers (int): Layers of each axis. Defaults to 2.
        alpha (float): Weight of channel attention; the rest is that of dense
            shift attention. Defaults to 0.5.
        gap (int): Every ``gap``-th token is not shifted. Defaults to 4.
        drop_path_rate (float): Probability to drop a branch of a sample in
            training. Defaults to 0.1.
        init_cfg (dict): Defaults to linear weights from N(0, 0.02) and zero
            biases, as there, but for the map in front of channel attention:
            it is a convolution there, which keeps torch's numbers.
        kwargs: Settings of :class:`SkeletonEncoder`, except for
            ``out_channels``.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(self,
                 embed_dims: int = 1024,
                 num_heads: int = 1,
                 num_layers: int = 2,
                 alpha: float = 0.5,
                 gap: int = 4,
                 drop_path_rate: float = 0.1,
                 init_cfg: Mapping = dict(
                     type='TruncNormal', layer='Linear', std=0.02),
                 **kwargs: Any) -> None:
        super().__init__(
            embed_dims, num_heads, drop_path_rate, init_cfg=init_cfg, **kwargs)
        if num_layers < 1 or gap < 1:
            raise ValueError(f'num_layers={num_layers} and gap={gap} must be '
                             'at least 1')
        if not 0 <= alpha <= 1:
            raise ValueError(f'alpha={alpha} must be within 0..1')
        num_person, clip_len, num_joints, _ = self.input_shape
        learned = torch.empty(num_person * num_joints, embed_dims)
        nn.init.normal_(learned, std=0.02)
        tables = dict(
            temporal=sinusoidal_positions(clip_len, embed_dims),
            spatial=learned)
        self.encoder = nn.ModuleDict({
            axis: DenseShiftEncoder(
                table,
                learn_positions=axis == 'spatial',
                num_layers=num_layers,
                num_heads=num_heads,
                alpha=alpha,
                gap=gap,
                drop_path_rate=drop_path_rate)
            for axis, table in tables.items()
        })
