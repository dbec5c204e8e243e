"""Nearest-neighbour contrast in plain operations, clip by clip."""
import torch
from torch.nn import functional as F

from .model import batch_norm, feature, linear
from .online_target import enqueue, fused, unit


@torch.no_grad()
def nearest(x, queue):
    """The row of the queue with the largest cosine, for each clip."""
    rows = []
    for clip in x:
        cosines = [float(unit(clip) @ row) for row in queue]
        rows.append(queue[cosines.index(max(cosines))])
    return torch.stack(rows)


def nce(prediction, neighbor, temperature):
    """-log of the own prediction's share, seen from a clip's neighbour."""
    terms = []
    for i, row in enumerate(neighbor):
        scores = torch.stack([
            torch.exp(unit(row) @ unit(p) / temperature) for p in prediction
        ])
        terms.append(-torch.log(scores[i] / scores.sum()))
    return sum(terms) / len(terms)


def predictor(w, x):
    name = 'heads.neighbor.predictor'
    x = F.relu(batch_norm(w, f'{name}.1', linear(w, f'{name}.0', x)))
    return linear(w, f'{name}.3', x)


def tuning_loss(w, views, queue, temperature):
    """The term, and the queue after it, of two views of all modalities."""
    z, u = (batch_norm(w, 'neck.fused.norm', feature(w, fused(view)))
            for view in views)
    first = nce(predictor(w, z), nearest(u, queue), temperature)
    second = nce(predictor(w, u), nearest(z, queue), temperature)
    return (first + second) / 2, enqueue(queue, u.detach())
