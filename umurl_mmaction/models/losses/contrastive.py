"""Contrastive terms as functions of the whole batch.

Shapes: B samples, D features, K rows of a queue.
"""
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .consistency import widen


def check_temperatures(**temperatures: float) -> None:
    """Raise ``ValueError`` unless all are above 0."""
    for name, temperature in temperatures.items():
        if temperature <= 0:
            raise ValueError(f'{name}={temperature} must be above 0')


def unit_vectors(feature: Tensor) -> Tensor:
    """Scale each row to length 1: (B, D) -> (B, D), float32 or wider."""
    return F.normalize(widen(feature), dim=1)


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
        scores = unit_vectors(first) @ unit_vectors(second).T / temperature
        pairs = scores.diagonal()[:, None]
        return (_nce(pairs, scores) + _nce(pairs, scores.T)) / 2


def queue_nce(query: Tensor, keys: Sequence[Tensor], queue: Tensor,
              temperature: float) -> Tensor:
    """Tell a sample's keys from the keys of a queue.

    With one key it is the term of MoCo (He et al., CVPR 2020), with several
    that of HiCo (Dong et al., AAAI 2023), where any of them counts::

        e(k)  = exp(cosine(query, k) / temperature)
        term  = -log(sum_l e(key_l) / (sum_l e(key_l) + sum_n e(queue_n)))

    Args:
        query (Tensor): (B, D).
        keys (sequence of Tensor): (B, D) each; row i belongs to query i.
        queue (Tensor): Unit vectors, (K, D).
        temperature (float): Above 0.

    Returns:
        Tensor: Scalar, the mean over the batch, float32 or wider.
    """
    with torch.autocast(query.device.type, enabled=False):
        query = unit_vectors(query)
        own = torch.stack([(query * unit_vectors(key)).sum(dim=1)
                           for key in keys], dim=1) / temperature
        others = query @ queue.T / temperature
        return _nce(own, torch.cat([own, others], dim=1))


def neighbor_nce(prediction: Tensor, neighbor: Tensor,
                 temperature: float) -> Tensor:
    """Tell the prediction that belongs to a neighbour from all others.

    The term of NNCLR (Dwibedi et al., ICCV 2021), as in the code of STARS
    (https://github.com/TaatiTeam/STARS): the cross entropy of
    softmax(cosine(neighbour, predictions of the batch) / temperature).

    Args:
        prediction (Tensor): (B, D).
        neighbor (Tensor): (B, D); row i is near to the sample of row i, and
            samples may share one.
        temperature (float): Above 0.

    Returns:
        Tensor: Scalar, the mean over the batch, float32 or wider.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        scores = unit_vectors(neighbor) @ unit_vectors(prediction).T
        scores = scores / temperature
        return _nce(scores.diagonal()[:, None], scores)


def _nce(positives: Tensor, scores: Tensor) -> Tensor:
    """The mean of -log of the share of the positives in the softmax.

    ``scores`` (B, S) has the ``positives`` (B, L) among them.
    """
    return (scores.logsumexp(dim=1) - positives.logsumexp(dim=1)).mean()
