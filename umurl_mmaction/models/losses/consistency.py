"""Consistency terms as functions of the whole batch.

The source of UmURL's is ``pretrain.py`` of
https://github.com/HuiGuanLab/UmURL.

Shapes: B samples, D features; dicts map a modality to a (B, D) tensor.
"""
import torch
from torch import Tensor
from torch.nn import functional as F


def intra_modal_consistency(uni: dict[str, Tensor],
                            decomposed: dict[str, Tensor]) -> Tensor:
    """Compute the sum over m of MSE(uni[m], decomposed[m]).

    Args:
        uni (dict[str, Tensor]): Projected uni-modal features, (B, D) each.
        decomposed (dict[str, Tensor]): The fused feature projected to each
            modality, (B, D) each.

    Returns:
        Tensor: Scalar.
    """
    return torch.stack([
        F.mse_loss(widen(uni[m]), widen(decomposed[m])) for m in uni
    ]).sum()


def inter_modal_consistency(uni: dict[str, Tensor]) -> Tensor:
    """Compute the sum over m of MSE(uni[m], mean of all uni).

    Args:
        uni (dict[str, Tensor]): Projected uni-modal features, (B, D) each.

    Returns:
        Tensor: Scalar.
    """
    features = widen(torch.stack(list(uni.values())))
    center = features.mean(dim=0, keepdim=True)
    return (features - center).square().mean(dim=(1, 2)).sum()


def instance_consistency(uni: dict[str, Tensor],
                         decomposed: dict[str, Tensor]) -> Tensor:
    """Compute the sum over m of the mean of 1 - cosine over the samples.

    The cosine is that of a sample's two standardised features. Without the
    standardisation, an offset that all samples share would make it 1.

    Args:
        uni (dict[str, Tensor]): Projected features of a view, (B, D) each.
        decomposed (dict[str, Tensor]): Those of another view, (B, D) each.

    Returns:
        Tensor: Scalar, float32 or wider.
    """
    cosines = [
        F.cosine_similarity(standardize(uni[m]), standardize(decomposed[m]))
        for m in uni
    ]
    return (1 - torch.stack(cosines)).mean(dim=1).sum()


def standardize(feature: Tensor) -> Tensor:
    """Give each dimension mean 0 and deviation 1 over the batch.

    Args:
        feature (Tensor): (B, D), B >= 2.

    Returns:
        Tensor: (B, D), float32 or wider. A dimension that is the same for all
        samples is 0.
    """
    return F.batch_norm(widen(feature), None, None, training=True)


def widen(feature: Tensor) -> Tensor:
    """Convert half precision to float32; leave wider types as they are."""
    return feature.float() if feature.element_size() < 4 else feature
