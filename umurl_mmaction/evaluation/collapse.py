"""Measures that show whether the representation of a batch collapses.

A batch is (B, D), with B >= 2 samples of D dimensions; results are scalars.
"""
import torch
from torch import Tensor
from torch.nn import functional as F


def mean_std(feature: Tensor) -> Tensor:
    """Average the standard deviation; 0 if all samples are the same."""
    return feature.float().std(dim=0).mean()


def effective_rank(feature: Tensor) -> Tensor:
    """Count the directions that the batch fills: 1..min(B - 1, D).

    This is the exponential of the entropy of the normalised singular values
    of the centred batch (Roy and Vetterli, EUSIPCO 2007).
    """
    # Not every device has float64 and eigenvalues.
    feature = feature.cpu().double()
    centered = feature - feature.mean(dim=0)
    if len(centered) > centered.shape[1]:
        centered = centered.T
    # The smaller Gram matrix is far cheaper than an SVD of the batch.
    squares = torch.linalg.eigvalsh(centered @ centered.T).clamp(min=0)
    # Centring removes one direction; only rounding errors of it remain.
    squares = squares.where(squares > 1e-12 * squares.max(), 0)
    share = squares.sqrt() / squares.sqrt().sum().clamp(min=1e-300)
    return torch.special.entr(share).sum().exp()


def dead_share(feature: Tensor) -> Tensor:
    """Share of the dimensions with a deviation below 0.001: 0..1."""
    return (feature.float().std(dim=0) < 1e-3).float().mean()


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Average the cosine of two features of the same samples: -1..1."""
    return F.cosine_similarity(first.float(), second.float()).mean()
