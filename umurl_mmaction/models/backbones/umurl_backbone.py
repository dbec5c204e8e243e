from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional, Union, cast

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule, PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ...skeleton.layout import build_layout
from ...skeleton.modalities import check_modalities, generate_modalities
from ..layers.positions import sinusoidal_positions
from ..layers.transformer import TransformerEncoder
from ..official.checks import check_weights
from ..official.names import prefix_in_file


def temporal_tokens(stream: Tensor) -> Tensor:
    """A token per frame: (N, M, T, V, C) -> (N, T, M*V*C)."""
    return stream.transpose(1, 2).flatten(2)


def spatial_tokens(stream: Tensor) -> Tensor:
    """A token per joint of each body: (N, M, T, V, C) -> (N, M*V, T*C)."""
    return stream.transpose(2, 3).flatten(3).flatten(1, 2)


TOKENS = dict(temporal=temporal_tokens, spatial=spatial_tokens)


def build_embedding(in_channels: int, embed_dims: int) -> nn.Sequential:
    """Token embedding: (..., in_channels) -> (..., embed_dims)."""
    return nn.Sequential(
        nn.Linear(in_channels, embed_dims), nn.LayerNorm(embed_dims),
        nn.ReLU(), nn.Linear(embed_dims, embed_dims))


@MODELS.register_module()
class UmURLBackbone(BaseModule):
    """One encoder for any set of skeleton modalities (the paper's).

    Each modality is embedded along time and along joints; the embeddings of
    the modalities at hand are averaged and mixed (early fusion) and go
    through one transformer per axis, which all modalities share. Both axes
    are max-pooled over their tokens and concatenated.

    Args:
        graph_cfg (dict): ``layout`` is a name (``'nturgb+d'``, ``'coco'``,
            ``'openpose'``) or a dict with ``joints`` and ``parents``.
            Defaults to ``dict(layout='nturgb+d')``.
        in_channels (int): Coordinates C. Defaults to 3.
        num_person (int): Bodies M. Defaults to 2.
        clip_len (int): Frames T. Defaults to 64.
        embed_dims (int): Width; the feature has twice as many channels.
            Even and divisible by ``num_heads``. Defaults to 1024.
        num_heads (int): Attention heads. Defaults to 1.
        num_layers (int): Transformer layers of each axis. Defaults to 1.
        modalities (sequence of str): Modalities that are embedded. Some of
            those that a checkpoint was trained on may be left out; with a
            single one there is no fusion. Defaults to
            ``('joint', 'bone', 'motion')``.
        frozen (bool): Keep all weights fixed and stay in eval mode.
            Defaults to False.
        init_cfg (dict, optional): MMEngine's initialisation.

    The defaults are those of ``options_pretraining.py`` of the paper's code.

    Raises:
        ValueError: If a setting above is out of its range.
    """

    def __init__(self,
                 graph_cfg: Mapping = dict(layout='nturgb+d'),
                 in_channels: int = 3,
                 num_person: int = 2,
                 clip_len: int = 64,
                 embed_dims: int = 1024,
                 num_heads: int = 1,
                 num_layers: int = 1,
                 modalities: Sequence[str] = ('joint', 'bone', 'motion'),
                 frozen: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if embed_dims % 2 or embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} must be even and '
                             f'divisible by num_heads={num_heads}')
        check_modalities(modalities)
        self.layout = build_layout(graph_cfg['layout'])
        self.modalities = tuple(modalities)
        self.input_shape = (num_person, clip_len, self.layout.num_joints,
                            in_channels)
        self.frozen = frozen

        temporal_channels = num_person * self.layout.num_joints * in_channels
        self.embeddings = nn.ModuleDict({
            name: nn.ModuleDict({
                'temporal': build_embedding(temporal_channels, embed_dims),
                'spatial': build_embedding(clip_len * in_channels, embed_dims)
            })
            for name in self.modalities
        })
        if len(self.modalities) > 1:
            self.fusion = nn.ModuleDict({
                axis: nn.Linear(embed_dims, embed_dims, bias=False)
                for axis in ('temporal', 'spatial')
            })
        self.encoder = nn.ModuleDict({
            axis: TransformerEncoder(embed_dims, num_heads, num_layers)
            for axis in ('temporal', 'spatial')
        })
        self.register_buffer(
            'positions',
            sinusoidal_positions(clip_len, embed_dims),
            persistent=False)
        # Without this MMEngine only logs a checkpoint that does not fit.
        self._register_load_state_dict_pre_hook(self._check_checkpoint)
        if frozen:
            self.requires_grad_(False)
        self.train()

    def forward(self, x: Union[Tensor, Mapping[str, Tensor]]) -> Tensor:
        """Encode a batch.

        Args:
            x (Tensor | dict[str, Tensor]): Joints, (N, M, T, V, C), from
                which the backbone's modalities are generated; or the streams
                of any of its modalities, each of that shape.

        Returns:
            Tensor: [temporal | spatial] feature, (N, 2 * embed_dims).

        Raises:
            ValueError: If a modality is unknown here or a shape differs.
        """
        streams = x if isinstance(x, Mapping) else self._streams(x)
        return self.forward_views([streams])[0]

    def forward_views(
            self, views: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Encode several views at once: fewer and larger matrix products.

        Args:
            views (sequence of dict[str, Tensor]): The streams of each view,
                as in ``forward``; the views may differ in modalities and N.

        Returns:
            list[Tensor]: The feature of each view, (N, 2 * embed_dims).

        Raises:
            ValueError: As ``forward``.
        """
        for streams in views:
            self._check_streams(streams)
        # Not len(): exporters take that for a constant.
        sizes = [next(iter(view.values())).shape[0] for view in views]
        pooled = []
        for axis, tokenize in TOKENS.items():
            tokens = torch.cat(self._embed(axis, tokenize, views))
            if axis == 'temporal':
                tokens = tokens + self.positions.to(tokens.dtype)
            tokens = self.encoder[axis](tokens)
            pooled.append(tokens.max(dim=1).values)
        return list(torch.cat(pooled, dim=1).split(sizes))

    def _streams(self, joints: Tensor) -> dict[str, Tensor]:
        self._check_shape('the joint array', joints)
        return generate_modalities(joints, self.modalities, self.layout)

    def _embed(self, axis: str, tokenize: Callable[[Tensor], Tensor],
               views: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Embed each modality in one call; fuse per view: (N, L, D) each."""
        embedded: list[list[Tensor]] = [[] for _ in views]
        for name in self.modalities:
            having = [i for i, view in enumerate(views) if name in view]
            if not having:
                continue
            embedding = cast(nn.ModuleDict, self.embeddings[name])[axis]
            streams = [views[i][name] for i in having]
            tokens = embedding(tokenize(torch.cat(streams)))
            parts = tokens.split([stream.shape[0] for stream in streams])
            for i, part in zip(having, parts):
                embedded[i].append(part)
        return [
            parts[0] if len(parts) == 1 else self.fusion[axis](sum(parts) /
                                                               len(parts))
            for parts in embedded
        ]

    def _check_streams(self, streams: Mapping[str, Tensor]) -> None:
        if not streams:
            raise ValueError('no modality stream was given; known here are '
                             f'{self.modalities}')
        for name, stream in streams.items():
            if name not in self.modalities:
                raise ValueError(f'unknown modality {name!r}; this backbone '
                                 f'was built for {self.modalities}')
            self._check_shape(f'the {name!r} stream', stream)

    def _check_shape(self, what: str, x: Tensor) -> None:
        self.layout.check(x.shape, what)
        if x.shape[1:] != self.input_shape:
            raise ValueError(
                f'{what} has shape {tuple(x.shape)}, wanted is (N, '
                f'{", ".join(map(str, self.input_shape))}): (N, num_person, '
                'clip_len, joints, in_channels)')

    def _check_checkpoint(self, state_dict: dict[str, Tensor], prefix: str,
                          *args: Any) -> None:
        """Refuse a checkpoint of another size or of another model."""
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
        """MMEngine's, where ``prefix='backbone.'`` fits official files too."""
        cfgs = self.init_cfg or []
        for cfg in [cfgs] if isinstance(cfgs, dict) else cfgs:
            if cfg['type'] in ('Pretrained', PretrainedInit) and cfg.get(
                    'prefix'):
                checkpoint = CheckpointLoader.load_checkpoint(
                    cfg['checkpoint'], map_location='cpu')
                cfg['prefix'] = prefix_in_file(checkpoint, cfg['prefix'])
        super().init_weights()

    def train(self, mode: bool = True) -> 'UmURLBackbone':
        """Stay in eval mode while frozen."""
        super().train(mode and not self.frozen)
        return self
