"""UmURL as one would write it in PyTorch, with torch's own modules.

All views go through ``nn.TransformerEncoder`` at once, the positions are
computed once, and the squares of the covariances are summed without a copy of
the matrix. It is the baseline of ``benchmarks/benchmark.py``; its weights have
the names of ``UmURL``'s.
"""
import torch
from torch import nn
from torch.nn import functional as F

from .model import MODALITIES, NTU_BONES, losses, positions, tokens

PARENT_OF = dict(NTU_BONES)
PARENTS = [PARENT_OF.get(joint, joint) - 1 for joint in range(1, 26)]


def stream(joints, modality):
    """One modality of (N, M, T, 25, C)."""
    if modality == 'joint':
        return joints
    if modality == 'motion':
        return F.pad(joints.diff(dim=2), (0, 0, 0, 0, 0, 1))
    return joints - joints[:, :, :, PARENTS]


def covariance(x):
    x = (x - x.mean(0)) / (len(x) - 1)**0.5
    cov, variances = x.T @ x, x.pow(2).sum(0)
    return (cov.pow(2).sum() - variances.pow(2).sum()) / x.shape[1]


class Backbone(nn.Module):

    def __init__(self, dims, sizes, num_heads, num_layers):
        super().__init__()
        self.embeddings = nn.ModuleDict({
            modality: nn.ModuleDict({
                axis: nn.Sequential(
                    nn.Linear(size, dims), nn.LayerNorm(dims), nn.ReLU(),
                    nn.Linear(dims, dims))
                for axis, size in sizes.items()
            })
            for modality in MODALITIES
        })
        self.fusion = nn.ModuleDict(
            {axis: nn.Linear(dims, dims, bias=False)
             for axis in sizes})
        self.encoder = nn.ModuleDict({
            axis: nn.TransformerEncoder(
                nn.TransformerEncoderLayer(
                    dims, num_heads, dims, dropout=0., batch_first=True),
                num_layers,
                enable_nested_tensor=False)
            for axis in sizes
        })

    def forward(self, views):
        """Joints of four views -> features (4, N, 2 * dims)."""
        single = {m: stream(x, m) for m, x in zip(MODALITIES, views)}
        together = {m: stream(views[-1], m) for m in MODALITIES}
        pooled = []
        for axis, encoder in self.encoder.items():

            def embed(streams, axis=axis):
                return [
                    self.embeddings[m][axis](tokens(x, axis))
                    for m, x in streams.items()
                ]

            fused = sum(embed(together)) / len(MODALITIES)
            x = torch.cat([*embed(single), self.fusion[axis](fused)])
            if axis == 'temporal':
                x = x + positions(*x.shape[1:], x.device).to(x.dtype)
            x = encoder(x).amax(1)
            pooled.append(x.unflatten(0, (len(views), -1)))
        return torch.cat(pooled, dim=-1)


class Projector(nn.Module):

    def __init__(self, dims, out):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(dims, dims), nn.BatchNorm1d(dims), nn.ReLU(),
            nn.Linear(dims, dims), nn.BatchNorm1d(dims), nn.ReLU(),
            nn.Linear(dims, out))

    def forward(self, x):
        return self.mlp(x)


class UmURL(nn.Module):

    def __init__(self,
                 embed_dims,
                 out_channels,
                 input_shape=(2, 64, 25, 3),
                 num_heads=1,
                 num_layers=1):
        super().__init__()
        bodies, frames, joints, coords = input_shape
        sizes = dict(
            temporal=bodies * joints * coords, spatial=frames * coords)
        self.backbone = Backbone(embed_dims, sizes, num_heads, num_layers)
        self.neck = nn.ModuleDict(
            {m: Projector(2 * embed_dims, out_channels)
             for m in MODALITIES})

    def forward(self, views):
        """The four terms of a batch of views, (N, M, T, 25, C) each."""
        *singles, fused = self.backbone(views)
        uni = {
            m: self.neck[m](single)
            for m, single in zip(MODALITIES, singles)
        }
        decomposed = {m: self.neck[m](fused) for m in MODALITIES}
        return losses(uni, decomposed, covariance)
