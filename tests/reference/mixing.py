"""Mixing of clips and of targets, clip by clip."""
import torch

from . import model


def mixed(x, share):
    """A clip (M, T, V, C) of a batch and its partner's share (T, V)."""
    half = len(x) // 2
    return torch.stack([
        (1 - s[:, :, None]) * x[i] + s[:, :, None] * x[i - half]
        for i, s in enumerate(share)
    ])


def mixed_losses(w, views, share):
    """UmURL's terms; the fused feature is that of clips as they are."""
    *singles, last = views
    fused = model.feature(
        w, {m: model.stream(last, m) for m in model.MODALITIES})
    half = len(fused) // 2
    target = torch.stack([
        (1 - s.mean()) * fused[i] + s.mean() * fused[i - half]
        for i, s in enumerate(share)
    ])
    uni, decomposed = {}, {}
    for name, view in zip(model.MODALITIES, singles):
        streams = {name: model.stream(mixed(view, share), name)}
        uni[name] = model.projection(w, name, model.feature(w, streams))
        decomposed[name] = model.projection(w, name, target)
    return model.losses(uni, decomposed)
