"""The layers of USDRL's dense spatio-temporal encoder.

The formulas were read in ``model/DSTE.py`` of
https://github.com/wengwanjiang/USDRL (Weng et al., AAAI 2025), which has no
licence file: the code here is our own.
"""
from typing import Any, cast

import torch
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn


def _feed_forward(embed_dims: int) -> nn.Sequential:
    """Map (..., D) to (..., D), twice as wide inside."""
    return nn.Sequential(
        nn.Linear(embed_dims, 2 * embed_dims), nn.GELU(),
        nn.Linear(2 * embed_dims, embed_dims))


class DenseShiftLayer(nn.Module):
    """Channel attention and dense shift attention, added with weights.

    Plain form, on the tokens x of a sample (L, D), with one attention for
    both, and drop path after each attention and feed-forward::

        CA(x)  = mlp(norm(x + attention(norm(x + relu(W x + b)))))
        F      = W_2 relu(W_1 x' + b_1)' + b_2 + x      along the L tokens
        F[i]   = x[i] for every i that is a multiple of gap
        T(y)   = z + mlp(norm(z)), z = y + attention(norm(y))
        DSA(x) = (T(F) + T(x)) / 2
        x      = alpha CA(x) + (1 - alpha) DSA(x)

    Args:
        num_tokens (int): Tokens L.
        embed_dims (int): Width D.
        num_heads (int): Attention heads; a divisor of D.
        alpha (float): Weight of the channel attention.
        gap (int): Every ``gap``-th token is not shifted.
        drop_path_rate (float): Probability to drop a branch of a sample.
    """

    def __init__(self, num_tokens: int, embed_dims: int, num_heads: int,
                 alpha: float, gap: int, drop_path_rate: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.drop_path = DropPath(drop_path_rate)
        self.attention = nn.MultiheadAttention(
            embed_dims, num_heads, batch_first=True)
        self.channels = nn.Sequential(
            nn.Linear(embed_dims, embed_dims), nn.ReLU())
        self.shift = nn.Sequential(
            nn.Linear(num_tokens, num_tokens), nn.ReLU(),
            nn.Linear(num_tokens, num_tokens))
        self.norms = nn.ModuleDict({
            branch: nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(2))
            for branch in ('channel', 'shift')
        })
        self.mlps = nn.ModuleDict({
            branch: _feed_forward(embed_dims)
            for branch in ('channel', 'shift')
        })
        kept = torch.arange(num_tokens) % gap == 0
        self.register_buffer('kept', kept[:, None], persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix the tokens of a sample: (N, L, D) -> (N, L, D)."""
        return (self.alpha * self._attend_channels(tokens) +
                (1 - self.alpha) * self._attend_shifted(tokens))

    def _attend_channels(self, x: Tensor) -> Tensor:
        attended = self._attend('channel', x + self.channels(x))
        return self._feed('channel', x + attended)

    def _attend_shifted(self, x: Tensor) -> Tensor:
        shifted = self.shift(x.transpose(1, 2)).transpose(1, 2) + x
        shifted = torch.where(cast(Tensor, self.kept), x, shifted)
        # Both go through the same layers, in one call.
        both = torch.stack([shifted, x]).flatten(0, 1)
        both = both + self._attend('shift', both)
        both = both + self._feed('shift', both)
        return both.unflatten(0, (2, -1)).mean(dim=0)

    def _attend(self, branch: str, x: Tensor) -> Tensor:
        norms = cast(nn.ModuleList, self.norms[branch])
        normed = norms[0](x)
        attended, _ = self.attention(
            normed, normed, normed, need_weights=False)
        return self.drop_path(attended)

    def _feed(self, branch: str, x: Tensor) -> Tensor:
        norms = cast(nn.ModuleList, self.norms[branch])
        return self.drop_path(self.mlps[branch](norms[1](x)))


class DenseShiftEncoder(nn.Module):
    """A stack of :class:`DenseShiftLayer`: (N, L, D) -> (N, L, D).

    Args:
        positions (Tensor): Table (L, D) that is added before each layer.
        learn_positions (bool): Whether it is trained.
        num_layers (int): Layers.
        layer_cfg: Arguments of the layers after ``embed_dims``.
    """

    def __init__(self, positions: Tensor, learn_positions: bool,
                 num_layers: int, **layer_cfg: Any) -> None:
        super().__init__()
        if learn_positions:
            self.positions = nn.Parameter(positions)
        else:
            self.register_buffer('positions', positions, persistent=False)
        self.layers = nn.ModuleList(
            DenseShiftLayer(*positions.shape, **layer_cfg)
            for _ in range(num_layers))

    def forward(self, tokens: Tensor) -> Tensor:
        """Run the layers in order."""
        positions = self.positions.to(tokens.dtype)
        for layer in self.layers:
            tokens = layer(tokens + positions)
        return tokens
