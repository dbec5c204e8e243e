"""VICReg's regularisation (Bardes et al., ICLR 2022) without the D x D matrix.

Shapes: B samples, D features.
"""
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .consistency import widen


def variance_covariance(feature: Tensor,
                        shard: tuple[int, int] = (0, 1),
                        eps: float = 1e-4) -> tuple[Tensor, Tensor]:
    """Penalise deviations below 1 and correlations between dimensions.

    Plain form, with the unbiased covariance of the batch::

        cov = feature.T.cov()
        variance = relu(1 - (cov.diagonal() + eps).sqrt()).mean()
        covariance = (cov.square().sum() - cov.diagonal().square().sum()) / D

    For the centred batch Z the squares of all covariances sum to
    |Z Z'|_F^2 / (B - 1)^2, so the D x D matrix is formed only if D <= B.

    Both terms are computed in float32 or wider, also under autocast. The
    smaller of the two matrices is kept for the backward pass, which cannot be
    differentiated again.

    Args:
        feature (Tensor): (B, D), B >= 2.
        shard (tuple[int, int]): (i, n) computes the i-th of n shards of the
            covariance term, and the sum of the shards is the term. Defaults
            to (0, 1): the whole term.
        eps (float): Added to the variance. Defaults to 1e-4 (``pretrain.py``
            of https://github.com/HuiGuanLab/UmURL).

    Returns:
        tuple[Tensor, Tensor]: The two terms, scalars, float32 or wider.
    """
    index, count = shard
    size = min(feature.shape)
    start, end = size * index // count, size * (index + 1) // count
    return _VarianceCovariance.apply(feature, start, end, eps)


class _VarianceCovariance(torch.autograd.Function):
    """Both terms in few passes, with both gradients in one tensor."""

    @staticmethod
    def forward(ctx: Any, feature: Tensor, start: int, end: int,
                eps: float) -> tuple[Tensor, Tensor]:
        num_samples, num_dims = feature.shape
        freedom = num_samples - 1
        with torch.autocast(feature.device.type, enabled=False):
            centered = _center(feature)
            square_sums = centered.square().sum(dim=0)
            if num_dims > num_samples:
                matrix = centered[start:end] @ centered.T
                share = (end - start) / num_samples
                total = matrix.square().sum() - share * square_sums.square(
                ).sum()
            else:
                matrix = centered.T[start:end] @ centered
                matrix.diagonal(offset=start).zero_()
                total = matrix.square().sum()
            deviation = (square_sums / freedom + eps).sqrt()
        ctx.save_for_backward(feature, matrix, square_sums, deviation)
        ctx.rows = start, end
        return F.relu(1 - deviation).mean(), total / freedom**2 / num_dims

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, variance_grad: Tensor,
                 covariance_grad: Tensor) -> tuple:
        feature, matrix, square_sums, deviation = ctx.saved_tensors
        num_samples, num_dims = feature.shape
        freedom = num_samples - 1
        start, end = ctx.rows
        with torch.autocast(feature.device.type, enabled=False):
            centered = _center(feature)
            slope = (deviation < 1) / deviation
            slope *= -variance_grad / freedom / num_dims
            scale = 2 * covariance_grad / freedom**2 / num_dims
            matrix = scale * matrix
            whole = end - start == min(feature.shape)
            if num_dims > num_samples:
                share = (end - start) / num_samples
                slope -= 2 * share * scale * square_sums
                if whole:
                    grad = (2 * matrix) @ centered
                else:
                    grad = matrix.T @ centered[start:end]
                    grad[start:end] += matrix @ centered
            elif whole:
                grad = centered @ (2 * matrix)
            else:
                grad = centered[:, start:end] @ matrix
                grad[:, start:end] += centered @ matrix.T
            grad.addcmul_(centered, slope)
            if not whole:
                grad -= grad.mean(dim=0)
        return grad.to(feature.dtype), None, None, None


def _center(feature: Tensor) -> Tensor:
    """Subtract the mean over the batch; a new tensor, float32 or wider."""
    feature = widen(feature)
    centered = feature - feature.mean(dim=0)
    # Once more, for the rounding error of the first mean.
    return centered.sub_(centered.mean(dim=0))
