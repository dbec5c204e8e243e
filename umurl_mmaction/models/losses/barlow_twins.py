"""Barlow Twins' terms (Zbontar et al., ICML 2021) as functions of the batch.

Shapes: B samples, D features.
"""
import torch
from torch import Tensor

from .consistency import standardize


def barlow_twins(first: Tensor,
                 second: Tensor,
                 shard: tuple[int, int] = (0, 1)) -> tuple[Tensor, Tensor]:
    """Correlate each dimension with itself in another view, and no other.

    Plain form, with the cross-correlation of the two views over the batch::

        cross = standardize(first).T @ standardize(second) / B
        invariance = (1 - cross.diagonal()).square().sum()
        redundancy = cross.square().sum() - cross.diagonal().square().sum()

    For standardised views Y and Z the squares of ``cross`` sum to those of
    <YY', ZZ'> / B^2, so the D x D matrix is formed only if D <= B. Both terms
    are computed in float32 or wider, also under autocast.

    Args:
        first (Tensor): (B, D), B >= 2.
        second (Tensor): (B, D); row i is another view of the sample of row i.
        shard (tuple[int, int]): (i, n) computes the i-th of n shards of the
            redundancy, and the sum of the shards is the term. Defaults to (0,
            1): the whole term.

    Returns:
        tuple[Tensor, Tensor]: Invariance and redundancy, scalars, float32 or
        wider.
    """
    num_samples, num_dims = first.shape
    index, count = shard
    size = min(num_samples, num_dims)
    start, end = size * index // count, size * (index + 1) // count
    with torch.autocast(first.device.type, enabled=False):
        first, second = standardize(first), standardize(second)
        diagonal = (first * second).mean(dim=0)
        if num_dims > num_samples:
            products = first[start:end] @ first.T
            products = products * (second[start:end] @ second.T)
            share = (end - start) / num_samples
            redundancy = (products.sum() / num_samples**2 -
                          share * diagonal.square().sum())
        else:
            cross = first.T[start:end] @ second / num_samples
            cross.diagonal(offset=start).zero_()
            redundancy = cross.square().sum()
    return (1 - diagonal).square().sum(), redundancy
