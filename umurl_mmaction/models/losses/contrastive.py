"""Contrastive terms as functions of the whole batch.

Shapes: B samples, D features.
"""
import torch
from torch import Tensor
from torch.nn import functional as F

from .consistency import widen


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Tell each sample's pair from all other samples, in both directions.

    The cross entropy of softmax(cosine / temperature) over the batch, as in
    SimCLR (Chen et al., ICML 2020), with the negatives of the other view
    only; the mean of both directions.

    Args:
        first (Tensor): (B, D).
        second (Tensor): (B, D); row i is the pair of row i.
        temperature (float): Above 0.

    Returns:
        Tensor: Scalar, float32 or wider.
    """
    with torch.autocast(first.device.type, enabled=False):
        first, second = (
            F.normalize(widen(x), dim=1) for x in (first, second))
        scores = first @ second.T / temperature
        target = torch.arange(len(scores), device=scores.device)
        return (F.cross_entropy(scores, target) +
                F.cross_entropy(scores.T, target)) / 2
