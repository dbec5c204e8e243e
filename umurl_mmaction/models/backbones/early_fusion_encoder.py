from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..layers.sync_batch_norm import SyncBatchNorm1d
from ..official.checks import check_weights
from ..utils.views import embed_views
from .base import SkeletonEncoder
from .trunk import build_trunk, output_channels


def pool_all(x: Tensor) -> Tensor:
    """Average as ``GCNHead`` does: (N, M, C, T, V) -> (N, C)."""
    return x.mean(dim=(3, 4)).mean(dim=1)


def pool_axes(x: Tensor) -> Tensor:
    """Pool along each axis: (N, M, C, T, V) -> [temporal | spatial], (N, 2C).

    Each part averages over the other axis, and takes the maximum over the
    tokens that are left: frames, or the joints of all bodies.
    """
    temporal = x.mean(dim=(1, 4)).amax(dim=2)
    spatial = x.mean(dim=3).amax(dim=(1, 3))
    return torch.cat([temporal, spatial], dim=1)


# Functions and the parts of their results, by name.
POOLS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[str, ...]]] = dict(
    mean=(pool_all, ()), axes=(pool_axes, ('temporal', 'spatial')))


class StreamEmbedding(nn.Module):
    """A modality's own data batch norm, then a linear map of each joint.

    Args:
        num_joints (int): Joints V.
        in_channels (int): Coordinates C.
        out_channels (int): Channels E.
    """

    def __init__(self, num_joints: int, in_channels: int,
                 out_channels: int) -> None:
        super().__init__()
        self.data_bn = SyncBatchNorm1d(num_joints * in_channels)
        self.linear = nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, stream: Tensor) -> Tensor:
        """Embed a stream: (N, M, T, V, C) -> (N, M, T, V, E)."""
        frames = stream.flatten(0, 2).flatten(1)
        return self.linear(self.data_bn(frames).view(stream.shape))


@MODELS.register_module()
class EarlyFusionEncoder(SkeletonEncoder):
    """Any skeleton backbone of MMAction2 as an encoder of several streams.

    Plain form, on the streams of a view::

        x = mean of embedding_m(stream_m) over the modalities m of the view
        feature = pool(trunk(x))      # (N, M, T, V, E) -> (N, M, C', T', V')

    With ``embed_channels=None`` and one modality, it is the stock backbone
    with the pooling of ``GCNHead``: a checkpoint of a ``RecognizerGCN`` loads
    as it is, and gives the same scores with ``LinearClsHead``. Otherwise
    ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``
    in ``trunk`` takes those weights of such a file whose shapes fit.

    Batch norms, those of the trunk too, use the batch of all ranks and, in
    pre-training, of all views, which go through the trunk together: so the
    running statistics, which evaluation uses, are those of the mixture that
    training saw. Only each modality's own ``data_bn`` sees that modality
    alone. A missing body is zeros and counts in all of these statistics and
    in the pooling, as in MMAction2.

    Args:
        trunk (dict): A backbone of MMAction2's registry, such as ``STGCN``,
            that maps (N, M, T, V, C) to (N, M, C', T', V'). Its
            ``in_channels``, ``num_person`` and ``graph_cfg.layout`` follow
            the settings of this encoder.
        embed_channels (int, optional): Channels E of the embedded streams.
            None feeds the only modality to the trunk as it is. Defaults to
            16: the mean of three maps from three coordinates to nine or more
            channels loses nothing.
        pool (str): ``'mean'`` over bodies, frames and joints, F = C', or
            ``'axes'``, F = 2 C', which names the parts ``temporal`` and
            ``spatial``. Defaults to ``'mean'``.
        kwargs: Settings of :class:`SkeletonEncoder`, except for
            ``out_channels``.

    Raises:
        ValueError: If a setting is out of its range, several modalities have
            no embedding, or the trunk does not take the clips.
    """

    def __init__(self,
                 trunk: Mapping,
                 embed_channels: Optional[int] = 16,
                 pool: str = 'mean',
                 **kwargs: Any) -> None:
        super().__init__(out_channels=0, **kwargs)
        if pool not in POOLS:
            raise ValueError(f'unknown pool {pool!r}; known are '
                             f'{sorted(POOLS)}')
        if embed_channels is not None and embed_channels < 1:
            raise ValueError(f'embed_channels={embed_channels} must be at '
                             'least 1, or None')
        if embed_channels is None and len(self.modalities) > 1:
            raise ValueError(f'the modalities {self.modalities} want '
                             'embed_channels; None is for a single one')
        *clip_shape, num_joints, in_channels = self.input_shape
        self.embeddings = nn.ModuleDict({
            name: StreamEmbedding(num_joints, in_channels, embed_channels)
            for name in self.modalities
        } if embed_channels else {})
        trunk_shape = (*clip_shape, num_joints, embed_channels or in_channels)
        self.trunk = build_trunk(trunk, self.layout, trunk_shape)
        channels = output_channels(self.trunk, trunk_shape)
        self.pool, parts = POOLS[pool]
        self.out_channels = channels * max(len(parts), 1)
        self.feature_parts = {
            part: slice(i * channels, (i + 1) * channels)
            for i, part in enumerate(parts)
        }

    def encode(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Encode a batch: streams (N, M, T, V, C) -> (N, out_channels)."""
        return self.encode_views([streams])[0]

    def encode_views(self,
                     views: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Encode all views in one pass, with common batch statistics.

        Args:
            views (sequence of dict[str, Tensor]): The streams of each view;
                views may differ in modalities and N.

        Returns:
            list[Tensor]: Feature of each view, (N, out_channels).

        Raises:
            ValueError: If a modality is unknown or a shape differs.
        """
        views = [self._fit(streams) for streams in views]
        # Exporters would make a constant of len().
        sizes = [next(iter(view.values())).shape[0] for view in views]
        fused = [
            torch.stack(streams).mean(dim=0)
            for streams in embed_views(views, self.modalities, self._embed)
        ]
        return list(self.pool(self.trunk(torch.cat(fused))).split(sizes))

    def _embed(self, name: str, stream: Tensor) -> Tensor:
        return self.embeddings[name](stream) if self.embeddings else stream

    def _check_checkpoint(self, state_dict: dict[str, Tensor], prefix: str,
                          *args: Any) -> None:
        """Take stock weights by their names; refuse those of other sizes."""
        for name in self.trunk.state_dict():
            if prefix + name in state_dict:
                state_dict[f'{prefix}trunk.{name}'] = state_dict.pop(prefix +
                                                                     name)
        check_weights(
            self,
            state_dict,
            prefix,
            required='trunk.',
            size_hint='trunk, embed_channels, num_person, in_channels and the '
            'layout must be those of the pre-training; init_cfg of the trunk '
            'takes what fits of another file')
