from collections.abc import Mapping, Sequence
from typing import Any, Callable, cast

import torch
from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ..official.checks import check_weights
from ..official.names import prefix_in_file
from ..utils.views import embed_views
from .base import SkeletonEncoder


def temporal_tokens(stream: Tensor) -> Tensor:
    """Make a token per frame: (N, M, T, V, C) -> (N, T, M*V*C)."""
    return stream.transpose(1, 2).flatten(2)


def spatial_tokens(stream: Tensor) -> Tensor:
    """Make a token per body and joint: (N, M, T, V, C) -> (N, M*V, T*C)."""
    return stream.transpose(2, 3).flatten(3).flatten(1, 2)


TOKENS = dict(temporal=temporal_tokens, spatial=spatial_tokens)


def build_embedding(in_channels: int, embed_dims: int) -> nn.Sequential:
    """Build an embedding: (..., in_channels) -> (..., embed_dims)."""
    return nn.Sequential(
        nn.Linear(in_channels, embed_dims), nn.LayerNorm(embed_dims),
        nn.ReLU(), nn.Linear(embed_dims, embed_dims))


class AxisTokenEncoder(SkeletonEncoder):
    """Early fusion of tokens along time and along joints: UmURL's front end.

    Each modality is embedded along both axes. The embeddings of the given
    modalities are averaged and mixed. A subclass makes ``encoder``, a module
    for each axis of :data:`TOKENS`, after this ``__init__``; its results are
    max-pooled over the tokens of an axis and concatenated, unless the
    subclass writes ``_pool`` in another way.

    Args:
        embed_dims (int): Width, even and divisible by ``num_heads``.
        num_heads (int): Attention heads.
        drop_path_rate (float): Within 0..1, below 1.
        kwargs: Settings of :class:`SkeletonEncoder`, except for
            ``out_channels``, which is twice the width here.

    Raises:
        ValueError: If ``embed_dims``, ``num_heads`` or ``drop_path_rate`` is
            out of its range.
    """

    encoder: nn.ModuleDict

    def __init__(self, embed_dims: int, num_heads: int, drop_path_rate: float,
                 **kwargs: Any) -> None:
        if (embed_dims < 2 or embed_dims % 2 or num_heads < 1
                or embed_dims % num_heads):
            raise ValueError(f'embed_dims={embed_dims} must be even and '
                             f'divisible by num_heads={num_heads}')
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f'drop_path_rate={drop_path_rate} must be at '
                             'least 0 and below 1')
        super().__init__(out_channels=2 * embed_dims, **kwargs)
        self.feature_parts = dict(
            temporal=slice(0, embed_dims),
            spatial=slice(embed_dims, 2 * embed_dims))
        num_person, clip_len, num_joints, in_channels = self.input_shape
        token_channels = dict(
            temporal=num_person * num_joints * in_channels,
            spatial=clip_len * in_channels)
        self.embeddings = nn.ModuleDict({
            name: nn.ModuleDict({
                axis: build_embedding(token_channels[axis], embed_dims)
                for axis in TOKENS
            })
            for name in self.modalities
        })
        if len(self.modalities) > 1:
            self.fusion = nn.ModuleDict({
                axis: nn.Linear(embed_dims, embed_dims, bias=False)
                for axis in TOKENS
            })

    def encode(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Encode a batch: streams (N, M, T, V, C) -> (N, out_channels)."""
        return self.encode_views([streams])[0]

    def encode_views(self,
                     views: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Encode all views in one pass, with fewer and larger products.

        Plain form: ``[self.encode(view) for view in views]``. Here each layer
        is called once, on the tokens of all views.

        Args:
            views (sequence of dict[str, Tensor]): The streams of each view;
                views may differ in modalities and N.

        Returns:
            list[Tensor]: [temporal | spatial] feature of each view, (N,
            out_channels).

        Raises:
            ValueError: If a modality is unknown or a shape differs.
        """
        views = [self._fit(streams) for streams in views]
        # Exporters would make a constant of len().
        sizes = [next(iter(view.values())).shape[0] for view in views]
        pooled = []
        for axis, tokenize in TOKENS.items():
            tokens = torch.cat(self._embed(axis, tokenize, views))
            pooled.append(self._pool(axis, tokens))
        return list(torch.cat(pooled, dim=1).split(sizes))

    def _pool(self, axis: str, tokens: Tensor) -> Tensor:
        """Make a part of the feature of tokens: (N, L, D) -> (N, D)."""
        return self._mix(axis, tokens).max(dim=1).values

    def _mix(self, axis: str, tokens: Tensor) -> Tensor:
        """Let the tokens of a sample see each other: (N, L, D) -> same."""
        return self.encoder[axis](tokens)

    def _embed(self, axis: str, tokenize: Callable[[Tensor], Tensor],
               views: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Embed a modality in one call; fuse each view: (N, L, D) each."""

        def embed(name: str, stream: Tensor) -> Tensor:
            embedding = cast(nn.ModuleDict, self.embeddings[name])[axis]
            return embedding(tokenize(stream))

        return [
            streams[0] if len(streams) == 1 else self.fusion[axis](
                sum(streams) / len(streams))
            for streams in embed_views(views, self.modalities, embed)
        ]

    def _check_checkpoint(self, state_dict: dict[str, Tensor], prefix: str,
                          *args: Any) -> None:
        """Refuse other weights; those of ``encoder`` must all be there."""
        check_weights(
            self,
            state_dict,
            prefix,
            required='encoder.',
            size_hint='embed_dims, clip_len, num_person, in_channels and the '
            'layout must be those of the pre-training',
            depth_hint='num_layers must be that of the pre-training',
            official='backbone.')

    def init_weights(self) -> None:
        """Let ``prefix='backbone.'`` of ``Pretrained`` fit official files."""
        cfgs = self.init_cfg or []
        for cfg in [cfgs] if isinstance(cfgs, dict) else cfgs:
            if cfg['type'] in ('Pretrained', PretrainedInit) and cfg.get(
                    'prefix'):
                checkpoint = CheckpointLoader.load_checkpoint(
                    cfg['checkpoint'], map_location='cpu')
                cfg['prefix'] = prefix_in_file(checkpoint, cfg['prefix'])
        super().init_weights()
