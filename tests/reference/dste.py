"""USDRL's layer in plain tensor operations, on a dict of weights."""
import torch
from torch.nn import functional as F

from .model import layer_norm, linear


def attention(w, name, x, num_heads):
    q, k, v = F.linear(x, w[f'{name}.in_proj_weight'],
                       w[f'{name}.in_proj_bias']).chunk(3, dim=-1)
    heads = []
    for q_, k_, v_ in zip(*(y.chunk(num_heads, dim=-1) for y in (q, k, v))):
        scores = q_ @ k_.transpose(1, 2) / q_.shape[-1]**0.5
        heads.append(scores.softmax(-1) @ v_)
    return linear(w, f'{name}.out_proj', torch.cat(heads, dim=-1))


def mlp(w, name, x):
    return linear(w, f'{name}.2', F.gelu(linear(w, f'{name}.0', x)))


def layer(w, name, x, num_heads, alpha, gap):
    """(N, L, D) -> (N, L, D)."""

    def attend(branch, y):
        normed = layer_norm(w, f'{name}.norms.{branch}.0', y)
        return attention(w, f'{name}.attention', normed, num_heads)

    def feed(branch, y):
        return mlp(w, f'{name}.mlps.{branch}',
                   layer_norm(w, f'{name}.norms.{branch}.1', y))

    def block(y):
        z = y + attend('shift', y)
        return z + feed('shift', z)

    mixed = x + F.relu(linear(w, f'{name}.channels.0', x))
    channel = feed('channel', x + attend('channel', mixed))

    hidden = F.relu(linear(w, f'{name}.shift.0', x.transpose(1, 2)))
    shifted = linear(w, f'{name}.shift.2', hidden).transpose(1, 2) + x
    rows = [
        x[:, i] if i % gap == 0 else shifted[:, i] for i in range(x.shape[1])
    ]
    dense = (block(torch.stack(rows, dim=1)) + block(x)) / 2
    return alpha * channel + (1 - alpha) * dense
