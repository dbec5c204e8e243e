"""UmURL in plain tensor operations on a dict of ``UmURL``'s weights.

Four separate encoder passes and D x D covariance matrices: nothing shared,
nothing rearranged. The oracle of the tests.
"""
import math
from functools import cache

import torch
from torch.nn import functional as F

MODALITIES = ('joint', 'bone', 'motion')
# 'Child, parent' from the NTU RGB+D bone list, counted from 1 as published.
NTU_BONES = ((1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7),
             (9, 21), (10, 9), (11, 10), (12, 11), (13, 1), (14, 13), (15, 14),
             (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23),
             (23, 8), (24, 25), (25, 12))


def stream(joints, modality):
    """One modality of (N, M, T, 25, C)."""
    if modality == 'joint':
        return joints
    if modality == 'motion':
        difference = joints[:, :, 1:] - joints[:, :, :-1]
        return torch.cat([difference, torch.zeros_like(joints[:, :, :1])], 2)
    child, parent = ([joint - 1 for joint in end] for end in zip(*NTU_BONES))
    out = torch.zeros_like(joints)
    out[:, :, :, child] = joints[:, :, :, child] - joints[:, :, :, parent]
    return out


def tokens(x, axis):
    """(N, M, T, V, C) -> a token per frame, or per joint of each body."""
    n, m, t, v, c = x.shape
    if axis == 'temporal':
        return x.permute(0, 2, 1, 3, 4).reshape(n, t, m * v * c)
    return x.permute(0, 1, 3, 2, 4).reshape(n, m * v, t * c)


@cache
def positions(length, dims, device):
    table = torch.zeros(length, dims)
    for p in range(length):
        for i in range(0, dims, 2):
            angle = p / 10000**(i / dims)
            table[p, i] = math.sin(angle)
            table[p, i + 1] = math.cos(angle)
    return table.to(device)


def linear(w, name, x):
    return F.linear(x, w[f'{name}.weight'], w.get(f'{name}.bias'))


def layer_norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[f'{name}.weight'],
                        w[f'{name}.bias'])


def encoder_layer(w, name, x, num_heads):
    n, length, dims = x.shape
    qkv = F.linear(x, w[f'{name}.self_attn.in_proj_weight'],
                   w[f'{name}.self_attn.in_proj_bias'])
    q, k, v = (
        y.reshape(n, length, num_heads, -1).transpose(1, 2)
        for y in qkv.chunk(3, dim=-1))
    scores = q @ k.transpose(-1, -2) / math.sqrt(dims // num_heads)
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, dims)
    x = layer_norm(w, f'{name}.norm1',
                   x + linear(w, f'{name}.self_attn.out_proj', mixed))
    hidden = linear(w, f'{name}.linear2',
                    F.relu(linear(w, f'{name}.linear1', x)))
    return layer_norm(w, f'{name}.norm2', x + hidden)


def feature(w, streams, num_heads=1, num_layers=1):
    """One encoder pass over a dict of streams: -> (N, 2 * embed_dims)."""
    pooled = []
    for axis in ('temporal', 'spatial'):
        embedded = []
        for modality, x in streams.items():
            name = f'backbone.embeddings.{modality}.{axis}'
            h = linear(w, f'{name}.0', tokens(x, axis))
            h = F.relu(layer_norm(w, f'{name}.1', h))
            embedded.append(linear(w, f'{name}.3', h))
        x = embedded[0]
        if len(embedded) > 1:
            x = linear(w, f'backbone.fusion.{axis}',
                       sum(embedded) / len(embedded))
        if axis == 'temporal':
            x = x + positions(*x.shape[1:], x.device).to(x.dtype)
        for i in range(num_layers):
            x = encoder_layer(w, f'backbone.encoder.{axis}.layers.{i}', x,
                              num_heads)
        pooled.append(x.max(dim=1).values)
    return torch.cat(pooled, dim=1)


def batch_norm(w, name, x):
    return F.batch_norm(
        x,
        None,
        None,
        w[f'{name}.weight'],
        w[f'{name}.bias'],
        training=True)


def projection(w, modality, x, necks='neck'):
    name = f'{necks}.{modality}.mlp'
    x = F.relu(batch_norm(w, f'{name}.1', linear(w, f'{name}.0', x)))
    x = F.relu(batch_norm(w, f'{name}.4', linear(w, f'{name}.3', x)))
    return linear(w, f'{name}.6', x)


def variance(x):
    return F.relu(1 - torch.sqrt(x.var(0) + 1e-4)).mean()


def covariance(x):
    centered = x - x.mean(0)
    cov = centered.T @ centered / (len(x) - 1)
    off_diagonal = cov - torch.diag(torch.diagonal(cov))
    return off_diagonal.pow(2).sum() / x.shape[1]


def losses(uni, decomposed, covariance=covariance):
    """The four weighted terms from two dicts of modality -> (B, D)."""
    features = [*uni.values(), *decomposed.values()]
    center = sum(uni.values()) / len(uni)
    mse = F.mse_loss
    return dict(
        loss_intra=5 * sum(mse(uni[m], decomposed[m]) for m in uni),
        loss_inter=5 * sum(mse(z, center) for z in uni.values()),
        loss_var=5 * sum(variance(x) for x in features),
        loss_cov=sum(covariance(x) for x in features))


def umurl_losses(w, views, num_heads=1, num_layers=1):
    """The four terms of a batch of views, (N, M, T, 25, C) each."""
    uni, decomposed = {}, {}
    fused = feature(w, {m: stream(views[-1], m)
                        for m in MODALITIES}, num_heads, num_layers)
    for modality, view in zip(MODALITIES, views):
        single = feature(w, {modality: stream(view, modality)}, num_heads,
                         num_layers)
        uni[modality] = projection(w, modality, single)
        decomposed[modality] = projection(w, modality, fused)
    return losses(uni, decomposed)
