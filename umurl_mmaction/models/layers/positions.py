import math

import torch
from torch import Tensor


def sinusoidal_positions(num_tokens: int, embed_dims: int) -> Tensor:
    """The position table of Vaswani et al., 2017: (num_tokens, embed_dims)."""
    position = torch.arange(num_tokens).unsqueeze(1)
    frequency = torch.exp(
        torch.arange(0, embed_dims, 2) * (-math.log(10000.0) / embed_dims))
    table = torch.zeros(num_tokens, embed_dims)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return table
