"""Signs of a collapsed representation, as functions of a batch.

Shapes: B samples, at least 2, of D dimensions.
"""
import torch
from torch import Tensor
from torch.nn import functional as F


def mean_std(feature: Tensor) -> Tensor:
    """Standard deviation over the batch, mean over the dimensions.

    Args:
        feature (Tensor): (B, D).

    Returns:
        Tensor: Scalar, 0 if all samples are the same.
    """
    return feature.float().std(dim=0).mean()


def effective_rank(feature: Tensor) -> Tensor:
    """Number of directions that the batch really fills.

    The exponential of the entropy of the normalised singular values of the
    centred batch (Roy and Vetterli, EUSIPCO 2007).

    Args:
        feature (Tensor): (B, D).

    Returns:
        Tensor: Scalar within 1..min(B - 1, D); 1 if there is no direction.
    """
    centered = feature.double() - feature.double().mean(dim=0)
    if len(centered) > centered.shape[1]:
        centered = centered.T
    # Of the smaller Gram matrix: far cheaper than an SVD of the batch.
    squares = torch.linalg.eigvalsh(centered @ centered.T).clamp(min=0)
    # What is left of the direction that was taken out by centring.
    squares = squares.where(squares > 1e-12 * squares.max(), 0)
    share = squares.sqrt() / squares.sqrt().sum().clamp(min=1e-300)
    return torch.special.entr(share).sum().exp()


def dead_share(feature: Tensor, threshold: float = 1e-3) -> Tensor:
    """Share of the dimensions that hardly vary.

    Args:
        feature (Tensor): (B, D).
        threshold (float): Smallest standard deviation of a living dimension.
            Defaults to 1e-3.

    Returns:
        Tensor: Scalar within 0..1.
    """
    return (feature.float().std(dim=0) < threshold).float().mean()


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Mean cosine of two features of the same samples.

    Args:
        first (Tensor): (B, D).
        second (Tensor): (B, D).

    Returns:
        Tensor: Scalar within -1..1.
    """
    return F.cosine_similarity(first.float(), second.float()).mean()
