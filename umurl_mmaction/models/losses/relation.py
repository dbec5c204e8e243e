"""The relation term as a function of the whole batch.

Shapes: B samples, D features, K rows of a queue.
"""
import torch
from torch import Tensor
from torch.nn import functional as F

from .contrastive import unit_vectors


def relation_consistency(online: Tensor, target: Tensor, queue: Tensor,
                         temperature: float,
                         target_temperature: float) -> Tensor:
    """Mimic the target's distribution of similarities to a set of features.

    The formula is that of ReSSL (Zheng et al., NeurIPS 2021)::

        p    = softmax(cosine(target, queue) / target_temperature)
        term = -sum(p * log_softmax(cosine(online, queue) / temperature))

    Args:
        online (Tensor): (B, D).
        target (Tensor): (B, D); row i is another view of the sample of row i.
        queue (Tensor): Unit vectors, (K, D).
        temperature (float): Above 0.
        target_temperature (float): Above 0; the smaller, the sharper.

    Returns:
        Tensor: Scalar, the mean over the batch, float32 or wider.
    """
    with torch.autocast(online.device.type, enabled=False):
        scores = unit_vectors(online) @ queue.T / temperature
        wanted = unit_vectors(target) @ queue.T / target_temperature
        return F.cross_entropy(scores, wanted.softmax(dim=1))
