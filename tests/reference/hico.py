"""HiCo in plain tensor operations on a dict of weights, without dropout."""
import torch
from torch.nn import functional as F

from .model import encoder_layer, layer_norm, linear, stream, tokens
from .online_target import enqueue, nce, projection

LEVELS = 4


def downsample(w, name, x):
    """Depthwise convolution, norm, ReLU, pairwise maximum."""
    kernel = w[f'{name}.conv.weight']
    mixed = F.conv1d(
        x.transpose(1, 2), kernel, w[f'{name}.conv.bias'],
        padding=kernel.shape[-1] // 2, groups=len(kernel))
    mixed = F.relu(layer_norm(w, f'{name}.norm', mixed.transpose(1, 2)))
    return F.max_pool1d(mixed.transpose(1, 2), 2).transpose(1, 2)


def granularities(w, streams, axis, num_heads=4):
    """Features of an axis, (N, D) for each granularity."""
    embedded = []
    for modality, x in streams.items():
        name = f'backbone.embeddings.{modality}.{axis}'
        h = linear(w, f'{name}.0', tokens(x, axis))
        h = F.relu(layer_norm(w, f'{name}.1', h))
        embedded.append(linear(w, f'{name}.3', h))
    x = sum(embedded) / len(embedded)
    if len(embedded) > 1:
        x = linear(w, f'backbone.fusion.{axis}', x)
    pooled = []
    for level in range(LEVELS):
        if level:
            x = downsample(w, f'backbone.downsample.{axis}', x)
        mixed = encoder_layer(w, f'backbone.encoder.{axis}.layers.0', x,
                              num_heads)
        pooled.append(mixed.max(dim=1).values)
    return pooled


def embed(w, view, modalities):
    """Projections of the five levels of a view, and its feature."""
    streams = {name: stream(view, name) for name in modalities}
    clip = granularities(w, streams, 'temporal')
    part = granularities(w, streams, 'spatial')
    temporal, spatial = torch.cat(clip, dim=1), torch.cat(part, dim=1)
    instance = torch.cat([temporal, spatial], dim=1)
    return dict(
        clip=[projection(w, 'clip', x) for x in clip],
        part=[projection(w, 'part', x) for x in part],
        temporal=projection(w, 'temporal', temporal),
        spatial=projection(w, 'spatial', spatial),
        instance=projection(w, 'instance', instance)), instance


def hico_losses(online, target, queues, views, temperature, modalities):
    """The five terms, and the queues after them."""
    q, _ = embed(online, views[0], modalities)
    with torch.no_grad():
        k, _ = embed(target, views[1], modalities)
    keys = dict(
        clip=k['clip'],
        part=k['part'],
        temporal=[k['spatial']],
        spatial=[k['temporal']],
        instance=[k['instance']])
    losses = {}
    for name, own in keys.items():
        query = q[name][0] if name in ('clip', 'part') else q[name]
        losses[f'loss_{name}'] = nce(query, own, queues[name], temperature)
        # The first granularity is the newest.
        queues = dict(queues, **{
            name: enqueue(queues[name], torch.cat(own))})
    return losses, queues
