"""A network and its moving average in plain operations."""
import torch
from torch.nn import functional as F

from . import model
from .model import MODALITIES, feature, linear, stream


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def nce(query, keys, queue, temperature):
    """-log of the share of a clip's keys; (B, D), several (B, D), (K, D)."""
    query = unit(query)
    own = sum(
        torch.exp((query * unit(key)).sum(1) / temperature) for key in keys)
    others = torch.exp(query @ queue.T / temperature).sum(1)
    return -torch.log(own / (own + others)).mean()


def relation(online, target, queue, temperature, target_temperature):
    """Cross entropy of the similarities to a queue."""
    p = torch.exp(unit(target) @ queue.T / target_temperature)
    q = torch.exp(unit(online) @ queue.T / temperature)
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    return -(p * torch.log(q)).sum(1).mean()


def enqueue(queue, keys):
    """The newest first; as many of the oldest leave."""
    return torch.cat([unit(keys), queue])[:len(queue)]


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
    z = model.projection(online, 'instance', feature(online, fused(views[0])))
    with torch.no_grad():
        wanted = model.projection(target, 'instance',
                                  feature(target, fused(views[1])))
    loss = relation(z, wanted, queue, temperature, target_temperature)
    return dict(loss_relation=loss), dict(relation=enqueue(queue, wanted))
