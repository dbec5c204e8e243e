"""Skeletal Twins in plain tensor operations, with the D x D matrix."""
import torch

from .model import MODALITIES, feature, projection, stream


def standardized(x):
    return (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()


def barlow_twins(first, second):
    """Invariance and redundancy of two views, (B, D) each."""
    cross = standardized(first).T @ standardized(second) / len(first)
    diagonal = torch.diagonal(cross)
    off_diagonal = cross - torch.diag(diagonal)
    return (1 - diagonal).pow(2).sum(), off_diagonal.pow(2).sum()


def instance_consistency(first, second):
    """Mean of 1 - cosine, sample by sample."""
    first, second = standardized(first), standardized(second)
    cosines = [
        torch.dot(y, z) / y.norm() / z.norm() for y, z in zip(first, second)
    ]
    return 1 - sum(cosines) / len(cosines)


def skeletal_twins_losses(w, views, redundancy_weight, instance_weight):
    """The weighted terms of two views, (N, M, T, 25, C) each."""
    first, second = (
        projection(
            w, 'twin', feature(w, {m: stream(view, m)
                                   for m in MODALITIES})) for view in views)
    invariance, redundancy = barlow_twins(first, second)
    return dict(
        loss_invariance=invariance,
        loss_redundancy=redundancy_weight * redundancy,
        loss_instance=instance_weight * instance_consistency(first, second))
