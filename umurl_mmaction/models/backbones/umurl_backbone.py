from typing import Any

from mmaction.registry import MODELS
from torch import Tensor, nn

from ..layers.positions import sinusoidal_positions
from ..layers.transformer import TransformerEncoder
from .axis_token_encoder import TOKENS, AxisTokenEncoder


@MODELS.register_module()
class UmURLBackbone(AxisTokenEncoder):
    """The paper's encoder for any set of skeleton modalities.

    Each modality is embedded along time and along joints. The embeddings of
    the given modalities are averaged and mixed (early fusion) and pass one
    transformer per axis, which all modalities share. Both axes are max-pooled
    over their tokens and concatenated.

    The defaults are those of ``options_pretraining.py`` of
    https://github.com/HuiGuanLab/UmURL.

    Args:
        embed_dims (int): Width; the feature has twice as many channels.
            Even and divisible by ``num_heads``. Defaults to 1024.
        num_heads (int): Attention heads. Defaults to 1.
        num_layers (int): Transformer layers of each axis. Defaults to 1.
        drop_path_rate (float): Probability that a view of a sample skips the
            attention, or the feed-forward, of a layer in training; below 1.
            The draws are torch's own, and depend on the number of processes.
            Defaults to 0; USDRL (Weng et al., AAAI 2025) has 0.1 in two
            layers.
        kwargs: ``graph_cfg``, ``in_channels``, ``num_person``, ``clip_len``,
            ``modalities``, ``ann_file``, ``frozen`` and ``init_cfg`` of
            :class:`SkeletonEncoder`. ``modalities`` may be fewer than those
            of a checkpoint; a single one is not fused.

    Raises:
        ValueError: If ``embed_dims``, ``num_heads`` or ``drop_path_rate`` is
            out of its range.
    """

    def __init__(self,
                 embed_dims: int = 1024,
                 num_heads: int = 1,
                 num_layers: int = 1,
                 drop_path_rate: float = 0.,
                 **kwargs: Any) -> None:
        super().__init__(embed_dims, num_heads, drop_path_rate, **kwargs)
        self.encoder = nn.ModuleDict({
            axis: TransformerEncoder(embed_dims, num_heads, num_layers,
                                     drop_path_rate)
            for axis in TOKENS
        })
        self.register_buffer(
            'positions',
            sinusoidal_positions(self.input_shape[1], embed_dims),
            persistent=False)

    def _mix(self, axis: str, tokens: Tensor) -> Tensor:
        """Let the tokens of a sample see each other: (N, L, D) -> same."""
        if axis == 'temporal':
            tokens = tokens + self.positions.to(tokens.dtype)
        return super()._mix(axis, tokens)
