import torch
from mmcv.cnn.bricks.drop import drop_path
from torch import Tensor, nn
from torch.nn import functional as F


def is_exporting() -> bool:
    """Tell whether ``torch.export`` or ``torch.jit.trace`` is running."""
    # torch.compiler has this function since 2.7.
    exporting = getattr(torch.compiler, 'is_exporting', bool)
    return exporting() or torch.jit.is_tracing()


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Scaled dot-product attention of H heads: (N, H, L, D / H) each."""
    num_tokens, width = queries.shape[-2:]
    # For few, wide tokens in bfloat16, torch's kernel for CPUs is up to five
    # times slower than plain products.
    if queries.is_cpu and num_tokens <= width and not is_exporting():
        scores = queries @ keys.transpose(-1, -2) * width**-0.5
        return F.softmax(scores, dim=-1) @ values
    return F.scaled_dot_product_attention(queries, keys, values)


class EncoderLayer(nn.TransformerEncoderLayer):
    """PyTorch's post-norm layer without its copies of the tokens.

    Weights, their names and initial values are those of the parent, with no
    dropout, ReLU, and a feed-forward as wide as the tokens. The parent copies
    queries, keys and values to the order (L, N, D) and back.

    Plain form, on tokens x of a sample (L, D)::

        q, k, v = W_q x + b_q, W_k x + b_k, W_v x + b_v       (per head)
        x = norm1(x + W_o softmax(q k' / sqrt(D / H)) v + b_o)
        x = norm2(x + linear2(relu(linear1(x))))

    Args:
        embed_dims (int): Width D.
        num_heads (int): Attention heads; a divisor of D.
        drop_path_rate (float): Probability that a sample skips a block in
            training (Huang et al., ECCV 2016). Defaults to 0.
        dropout (float): PyTorch's dropout in training, in place of drop path.
            Defaults to 0.

    Raises:
        ValueError: If both rates are set.
    """

    def __init__(self,
                 embed_dims: int,
                 num_heads: int,
                 drop_path_rate: float = 0.,
                 dropout: float = 0.) -> None:
        if drop_path_rate and dropout:
            raise ValueError(f'drop_path_rate={drop_path_rate} and dropout='
                             f'{dropout} exclude each other: set one to 0')
        super().__init__(
            embed_dims,
            num_heads,
            dim_feedforward=embed_dims,
            dropout=dropout,
            batch_first=True)
        self.drop_path_rate = drop_path_rate

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Mix the tokens of a sample: (N, L, D) -> (N, L, D)."""
        if self.training and self.dropout.p:
            return super().forward(tokens)
        tokens = self.norm1(tokens + self._drop(self._attend(tokens)))
        hidden = F.relu(self.linear1(tokens))
        return self.norm2(tokens + self._drop(self.linear2(hidden)))

    def _drop(self, block: Tensor) -> Tensor:
        """Set the block's output to 0 for some samples, in training."""
        return drop_path(block, self.drop_path_rate, self.training)

    def _attend(self, tokens: Tensor) -> Tensor:
        """Self-attention, projected: (N, L, D) -> (N, L, D)."""
        attention = self.self_attn
        # An exported model takes any N, so that no branch may depend on N.
        if attention.num_heads == 1 and not is_exporting() and (
                tokens.shape[:-1].numel() > len(attention.out_proj.weight)):
            return self._attend_merged(tokens)
        projected = F.linear(tokens, attention.in_proj_weight,
                             attention.in_proj_bias)
        heads = [
            part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
            for part in projected.chunk(3, dim=-1)
        ]
        mixed = attend(*heads)
        return attention.out_proj(mixed.transpose(1, 2).flatten(2))

    def _attend_merged(self, tokens: Tensor) -> Tensor:
        """Attend with a single head, in half the matrix products.

        With a single head, weights can be multiplied with each other instead
        of with the tokens::

            (W_q x + b_q) . (W_k y + b_k) = (W_k' (W_q x + b_q)) . y + c(x)
            W_o (sum_y p_y (W_v y + b_v)) + b_o
                = sum_y p_y (W_o W_v y + W_o b_v + b_o)

        The softmax over y removes c(x), and its values p_y sum to 1. This is
        faster if there are more tokens than channels.
        """
        out = self.self_attn.out_proj
        query, key, value = self.self_attn.in_proj_weight.chunk(3)
        query_bias, _, value_bias = self.self_attn.in_proj_bias.chunk(3)
        queries = F.linear(tokens, key.T @ query, key.T @ query_bias)
        values = F.linear(tokens, out.weight @ value,
                          out.weight @ value_bias + out.bias)
        return attend(
            queries.unsqueeze(1), tokens.unsqueeze(1),
            values.unsqueeze(1)).squeeze(1)


class TransformerEncoder(nn.Module):
    """A stack of encoder layers: (N, L, D) -> (N, L, D).

    Args:
        embed_dims (int): Width D.
        num_heads (int): Attention heads; a divisor of D.
        num_layers (int): Layers.
        drop_path_rate (float): That of each layer. Defaults to 0.
        dropout (float): That of each layer. Defaults to 0.
    """

    def __init__(self,
                 embed_dims: int,
                 num_heads: int,
                 num_layers: int,
                 drop_path_rate: float = 0.,
                 dropout: float = 0.) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(embed_dims, num_heads, drop_path_rate, dropout)
            for _ in range(num_layers))

    def forward(self, tokens: Tensor) -> Tensor:
        """Run the layers in order."""
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens
