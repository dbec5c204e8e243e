from torch import Tensor, nn
from torch.nn import functional as F


class EncoderLayer(nn.TransformerEncoderLayer):
    """PyTorch's post-norm layer without its copies of the tokens.

    Weights, their names and initial values are those of the parent (no
    dropout, ReLU, feed-forward as wide as the tokens). The parent's attention
    brings queries, keys and values into the order (L, N, D) and back.

    Args:
        embed_dims (int): Width D.
        num_heads (int): Attention heads; a divisor of D.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__(
            embed_dims,
            num_heads,
            dim_feedforward=embed_dims,
            dropout=0.,
            batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Mix the tokens of a sample: (N, L, D) -> (N, L, D)."""
        tokens = self.norm1(tokens + self._attend(tokens))
        hidden = F.relu(self.linear1(tokens))
        return self.norm2(tokens + self.linear2(hidden))

    def _attend(self, tokens: Tensor) -> Tensor:
        attention = self.self_attn
        projected = F.linear(tokens, attention.in_proj_weight,
                             attention.in_proj_bias)
        heads = [
            part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
            for part in projected.chunk(3, dim=-1)
        ]
        mixed = F.scaled_dot_product_attention(*heads)
        return attention.out_proj(mixed.transpose(1, 2).flatten(2))


class TransformerEncoder(nn.Module):
    """A stack of encoder layers: (N, L, D) -> (N, L, D).

    Args:
        embed_dims (int): Width D.
        num_heads (int): Attention heads; a divisor of D.
        num_layers (int): Layers.
    """

    def __init__(self, embed_dims: int, num_heads: int,
                 num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(embed_dims, num_heads) for _ in range(num_layers))

    def forward(self, tokens: Tensor) -> Tensor:
        """Run the layers in order."""
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens
