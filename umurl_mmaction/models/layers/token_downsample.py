from torch import Tensor, nn
from torch.nn import functional as F


class TokenDownsample(nn.Module):
    """Halve the tokens, as between the granularities of HiCo.

    Depthwise convolution along the tokens, layer norm, ReLU, and the maximum
    of each pair of tokens; an odd token at the end is left out.

    Args:
        embed_dims (int): Width D.
        kernel_size (int): Tokens of the convolution; odd. Defaults to 5.
    """

    def __init__(self, embed_dims: int, kernel_size: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            embed_dims,
            embed_dims,
            kernel_size,
            padding=kernel_size // 2,
            groups=embed_dims)
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, L, D) to (N, L // 2, D)."""
        mixed = self.conv(tokens.transpose(1, 2)).transpose(1, 2)
        mixed = F.relu(self.norm(mixed))
        pairs = mixed.shape[1] // 2
        return mixed[:, :2 * pairs].unflatten(1, (pairs, 2)).max(dim=2).values
