from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..layers.token_downsample import TokenDownsample
from ..layers.transformer import TransformerEncoder
from .axis_token_encoder import TOKENS, AxisTokenEncoder


@MODELS.register_module()
class HiCoBackbone(AxisTokenEncoder):
    """The hierarchical encoder of HiCo (Dong et al., AAAI 2023).

    Embeddings, fusion and tokens are UmURL's, without positions. The tokens
    are encoded in several granularities: one half of them each time, by one
    downsampling per axis, in one transformer per axis::

        for each axis:
            x = embedded tokens
            for l = 1 ... granularities:
                feature of (axis, l) = max over the tokens of transformer(x)
                x = downsample(x)
        feature = [temporal_1 ... temporal_G | spatial_1 ... spatial_G]

    The defaults are those of ``options_pretraining.py`` of
    https://github.com/HuiGuanLab/HiCo, which encodes one modality. To fuse
    several is UmURL's way.

    Args:
        embed_dims (int): Width; the feature has 2 * granularities times as
            many channels. Even and divisible by ``num_heads``. Defaults to
            512.
        num_heads (int): Attention heads. Defaults to 4.
        num_layers (int): Transformer layers of each axis. Defaults to 1.
        granularities (int): Defaults to 4.
        dropout (float): Of the transformers, in training. Its draws are
            torch's own, and depend on the number of processes. Defaults to
            0.1.
        drop_path_rate (float): Drop path in place of ``dropout``, which must
            be 0 then. Defaults to 0.
        init_cfg (dict): Defaults to Xavier's uniform linear weights and zero
            biases; there the biases are torch's.
        kwargs: Settings of :class:`SkeletonEncoder`, except for
            ``out_channels``.

    Raises:
        ValueError: If a setting is out of its range, or there are too few
            frames or joints for so many granularities.
    """

    def __init__(self,
                 embed_dims: int = 512,
                 num_heads: int = 4,
                 num_layers: int = 1,
                 granularities: int = 4,
                 dropout: float = 0.1,
                 drop_path_rate: float = 0.,
                 init_cfg: Mapping = dict(
                     type='Xavier', layer='Linear', distribution='uniform'),
                 **kwargs: Any) -> None:
        super().__init__(
            embed_dims, num_heads, drop_path_rate, init_cfg=init_cfg, **kwargs)
        num_person, clip_len, num_joints, _ = self.input_shape
        tokens = min(clip_len, num_person * num_joints)
        if granularities < 1 or tokens < 2**(granularities - 1):
            raise ValueError(
                f'granularities={granularities} must be at least 1, and of '
                f'{tokens} frames, or joints of all bodies, as many halves '
                'must be left')
        self.granularities = granularities
        self.out_channels = 2 * granularities * embed_dims
        self.encoder = nn.ModuleDict({
            axis: TransformerEncoder(
                embed_dims, num_heads, num_layers, drop_path_rate, dropout)
            for axis in TOKENS
        })
        if granularities > 1:
            self.downsample = nn.ModuleDict(
                {axis: TokenDownsample(embed_dims)
                 for axis in TOKENS})
        self.feature_parts = {}
        for i, axis in enumerate(TOKENS):
            first = i * granularities
            self.feature_parts[axis] = slice(first * embed_dims,
                                             (first + granularities) *
                                             embed_dims)
            for level in range(granularities):
                start = (first + level) * embed_dims
                self.feature_parts[f'{axis}_{level + 1}'] = slice(
                    start, start + embed_dims)

    def _pool(self, axis: str, tokens: Tensor) -> Tensor:
        """Encode all granularities: (N, L, D) -> (N, granularities * D)."""
        pooled = []
        for level in range(self.granularities):
            if level:
                tokens = self.downsample[axis](tokens)
            pooled.append(self.encoder[axis](tokens).max(dim=1).values)
        return torch.cat(pooled, dim=1)
