"""Mixing of clips with each other."""
from torch import Tensor


def mix_with_partner(x: Tensor, share: Tensor) -> Tensor:
    """Mix each sample of a batch with another one.

    Sample i becomes (1 - share) x_i + share x_j.
    The partner is half a batch away, j = i - N // 2 modulo N. If a batch that
    is dealt to several processes in turn gives each an even number N, then
    everybody has the partner that it has on one process.

    Args:
        x (Tensor): (N, ...). A single sample is its own partner.
        share (Tensor): The partner's share, within 0..1: (N, ...), to be
            broadcast.

    Returns:
        Tensor: (N, ...); exactly the partner where its share is 1.
    """
    partner = x.roll(x.shape[0] // 2, dims=0)
    return x.lerp(partner, share.to(x))
