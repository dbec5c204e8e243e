"""UmURL's loss terms as functions of the whole batch.

The source is ``pretrain.py`` of https://github.com/HuiGuanLab/UmURL.

Shapes: B samples, D features; dicts map a modality to a (B, D) tensor.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def intra_modal_consistency(uni: dict[str, Tensor],
                            decomposed: dict[str, Tensor]) -> Tensor:
    """Sum over modalities of MSE(uni-modal, decomposed from the fused).

    Args:
        uni (dict[str, Tensor]): Projected uni-modal features, (B, D) each.
        decomposed (dict[str, Tensor]): The fused feature projected to each
            modality, (B, D) each.

    Returns:
        Tensor: Scalar.
    """
    return torch.stack([
        F.mse_loss(_widen(uni[m]), _widen(decomposed[m])) for m in uni
    ]).sum()


def inter_modal_consistency(uni: dict[str, Tensor]) -> Tensor:
    """Sum over modalities of MSE(uni-modal, mean of the uni-modal ones).

    Args:
        uni (dict[str, Tensor]): Projected uni-modal features, (B, D) each.

    Returns:
        Tensor: Scalar.
    """
    features = _widen(torch.stack(list(uni.values())))
    center = features.mean(dim=0, keepdim=True)
    return (features - center).square().mean(dim=(1, 2)).sum()


def variance_term(feature: Tensor, eps: float = 1e-4) -> Tensor:
    """Hinge that keeps each dimension's standard deviation above 1.

    mean_d relu(1 - sqrt(Var_d + eps)) with the unbiased variance over the
    batch (VICReg, Bardes et al., ICLR 2022).

    Args:
        feature (Tensor): (B, D), B >= 2.
        eps (float): Added to the variance. Defaults to 1e-4.

    Returns:
        Tensor: Scalar, float32 or wider.
    """
    variance = _widen(feature).var(dim=0)
    return F.relu(1 - torch.sqrt(variance + eps)).mean()


def covariance_term(feature: Tensor,
                    part: tuple[int, int] = (0, 1)) -> Tensor:
    """Sum of the squared off-diagonal covariances, over D (VICReg).

    sum_{i != j} Cov_ij^2 = |Z Z'|_F^2 / (B - 1)^2 - sum_d Var_d^2 for the
    centred batch Z: the D x D matrix is formed only where D <= B.

    Args:
        feature (Tensor): (B, D), B >= 2.
        part (tuple[int, int]): (i, n) computes the i-th of n parts of the
            sum, from its own rows of the matrix; the parts add up to the
            term. Defaults to (0, 1), all of it.

    Returns:
        Tensor: Scalar, float32 or wider.
    """
    num_samples, num_dims = feature.shape
    size = min(num_samples, num_dims)
    index, count = part
    rows = slice(size * index // count, size * (index + 1) // count)
    # Covariances lose too much in half precision, whatever the autocast.
    with torch.autocast(feature.device.type, enabled=False):
        feature = _widen(feature)
        centered = feature - feature.mean(dim=0)
        # What the first mean was rounded by.
        centered = centered - centered.mean(dim=0)
        if num_dims > num_samples:
            square_sum = (centered[rows] @ centered.T).square().sum()
            variances = centered.square().sum(dim=0)
            share = (rows.stop - rows.start) / size
            square_sum = square_sum - share * variances.square().sum()
        else:
            matrix = centered.T[rows] @ centered
            diagonal = matrix.new_zeros(()).expand(rows.stop - rows.start)
            square_sum = torch.diagonal_scatter(
                matrix, diagonal, offset=rows.start).square().sum()
        return square_sum / (num_samples - 1)**2 / num_dims


def _widen(feature: Tensor) -> Tensor:
    """Half precision to float32; wider types as they are."""
    return feature.float() if feature.element_size() < 4 else feature
