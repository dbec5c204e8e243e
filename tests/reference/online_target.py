"""A network and its moving average in plain operations, clip by clip."""
import torch
from torch.nn import functional as F

from .model import MODALITIES, feature, linear, stream


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def nce(query, keys, queue, temperature):
    """-log of the share of a clip's keys; (B, D), several (B, D), (K, D)."""
    terms = []
    for i, q in enumerate(unit(query)):
        own = sum(torch.exp(q @ unit(key[i]) / temperature) for key in keys)
        others = sum(torch.exp(q @ row / temperature) for row in queue)
        terms.append(-torch.log(own / (own + others)))
    return sum(terms) / len(terms)


def relation(online, target, queue, temperature, target_temperature):
    """Cross entropy of the similarities to a queue, sample by sample."""
    terms = []
    for z, wanted in zip(unit(online), unit(target)):
        p = torch.exp(queue @ wanted / target_temperature)
        q = torch.exp(queue @ z / temperature)
        terms.append(-(p / p.sum() * torch.log(q / q.sum())).sum())
    return sum(terms) / len(terms)


def enqueue(queue, keys):
    """The newest first; as many of the oldest leave."""
    rows = [*(unit(key) for key in keys), *queue]
    return torch.stack(rows[:len(queue)])


def follow(target, online, momentum):
    """The moving average, weight by weight."""
    return {
        name: (1 - momentum) * value + momentum * online[name].detach()
        for name, value in target.items()
    }


def projection(w, level, x):
    name = f'neck.{level}.mlp'
    return linear(w, f'{name}.2', F.relu(linear(w, f'{name}.0', x)))


def fused(view):
    return {name: stream(view, name) for name in MODALITIES}


def srcl_loss(online, target, queue, views, temperature, target_temperature):
    """The term, and the queue after it."""
    z = projection(online, 'instance', feature(online, fused(views[0])))
    with torch.no_grad():
        wanted = projection(target, 'instance', feature(target,
                                                        fused(views[1])))
    loss = relation(z, wanted, queue, temperature, target_temperature)
    return dict(loss_relation=loss), dict(relation=enqueue(queue, wanted))
