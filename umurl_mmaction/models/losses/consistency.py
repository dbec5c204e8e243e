"""UmURL's consistency terms as functions of the whole batch.

The source is ``pretrain.py`` of https://github.com/HuiGuanLab/UmURL.

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


def widen(feature: Tensor) -> Tensor:
    """Convert half precision to float32; leave wider types as they are."""
    return feature.float() if feature.element_size() < 4 else feature
