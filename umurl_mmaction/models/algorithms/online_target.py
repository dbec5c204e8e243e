from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
from mmaction.registry import MODELS
from mmengine.model import ExponentialMovingAverage, ModuleDict
from torch import Tensor, nn

from ..utils.gather import gather_batch
from .base import SkeletonPretraining

# The part of the feature that is all of it.
INSTANCE = 'instance'


@MODELS.register_module()
class OnlineTarget(SkeletonPretraining):
    """An online network that follows its own moving average, the target.

    The online network encodes and projects one view of a clip, the target,
    without gradients, another one. The heads compare their projections::

        target <- (1 - momentum) target + momentum online
        queries = projections of online(first view)
        keys    = projections of target(second view)
        loss    = sum of head(queries, keys)

    With ``QueueContrastHead`` it is MoCo (He et al., CVPR 2020), on several
    parts of HiCo's feature it is HiCo (Dong et al., AAAI 2023), and with
    ``RelationConsistencyHead`` it pursues relation consistency (Zhang et al.,
    2022).

    Args:
        backbone (dict): A ``SkeletonEncoder``, which determines the layout.
        neck (dict): Projector, built once per level; ``in_channels`` are
            those of the level's parts.
        heads (dict[str, dict]): Loss terms by name; each maps the projections
            of the online network and of the target, two dicts of part -> (B,
            D), to a dict of losses.
        levels (dict[str, sequence of str], optional): Parts of the feature
            that share a projector, by the projector's name. Parts are those
            of the encoder's ``feature_parts``, and ``'instance'``: the whole
            feature. Defaults to ``dict(instance=('instance', ))``.
        momentum (float): Share of the online weights in each update, as
            MMEngine has it. Defaults to 0.001: MoCo's m = 0.999.
        update_interval (int): Batches between two updates of the target. Where
            the optimizer accumulates gradients, set it to the wrapper's
            ``accumulative_counts``. Defaults to 1.
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.
        init_cfg (dict, optional): MMEngine's initialisation.

    Attributes:
        modalities (tuple[str]): Modalities that are fused, those of the
            encoder.
        num_views (int): 2.
        target (ExponentialMovingAverage): The target; it starts as a copy of
            the online network.

    Raises:
        ValueError: If the encoder has no part of such a name, a head wants a
            part that no level has, or the momentum or the interval is out of
            its range.
    """

    # A queue of another size would stay random, and no line would say so.
    checked_weights = {
        'neck.': None,
        'target.module.neck.': None,
        'heads.': None
    }
    size_settings = {'heads.': 'queue_size and channels of the heads'}

    def __init__(self,
                 backbone: dict,
                 neck: Mapping,
                 heads: Mapping[str, dict],
                 levels: Optional[Mapping[str, Sequence[str]]] = None,
                 momentum: float = 0.001,
                 update_interval: int = 1,
                 data_preprocessor: Mapping = dict(
                     type='SkeletonDataPreprocessor'),
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(backbone, data_preprocessor, init_cfg)
        self.fit_views(2)
        self.levels = {
            level: tuple(parts)
            for level, parts in (levels or {INSTANCE: (INSTANCE, )}).items()
        }
        self.neck = ModuleDict({
            level: self._build_neck(neck, level)
            for level in self.levels
        })
        self.heads = ModuleDict(
            {name: MODELS.build(head)
             for name, head in heads.items()})
        self._check_heads()
        if not 0 < momentum < 1:
            raise ValueError(f'momentum={momentum} must be above 0 and below '
                             '1; it is the share of the online weights, 0.001 '
                             "for MoCo's m = 0.999")
        if update_interval < 1:
            raise ValueError(f'update_interval={update_interval} must be at '
                             'least 1')
        self.update_interval = update_interval
        self.target = ExponentialMovingAverage(
            self._online(), momentum, interval=update_interval)
        self._register_load_state_dict_pre_hook(self._start_target)

    def loss(self, views: Sequence[Tensor]) -> dict[str, Tensor]:
        """Update the target and compute the terms over the whole batch.

        Args:
            views (sequence of Tensor): Two joint arrays, (N, M, T, V, C): for
                the online network and for the target.

        Returns:
            dict[str, Tensor]: Scalars.

        Raises:
            ValueError: If there are not two views, or the batch has a single
                sample.
        """
        self.check_views(
            views, f'{type(self).__name__} wants 2: one for the online '
            'network and one for the target')
        self.target.update_parameters(self._online())
        _, queries, keys = self.project(views)
        whole = gather_batch([*queries.values(), *keys.values()])
        queries = dict(zip(queries, whole))
        keys = dict(zip(keys, whole[len(queries):]))
        return self.apply_heads(queries, keys)

    def project(
        self, views: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Project this rank's part of the batch.

        Args:
            views (sequence of Tensor): As for :meth:`loss`.

        Returns:
            tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]: The online
            feature (N, F), and by part the projections of the online network
            and of the target, (N, D).
        """
        first, second = (
            self.backbone.streams(view, self.modalities) for view in views)
        feature, queries = self._embed(self._online(), first)
        with torch.no_grad():
            _, keys = self._embed(self.target.module, second)
        return feature, queries, keys

    def _online(self) -> ModuleDict:
        """The online network, as the moving average sees it."""
        return ModuleDict(dict(backbone=self.backbone, neck=self.neck))

    def _embed(self, network: Any,
               streams: Mapping[str,
                                Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Encode a view: feature (N, F), and part -> projection (N, D)."""
        feature = network['backbone'](streams)
        projections: dict[str, Tensor] = {}
        for level, parts in self.levels.items():
            batches = [feature[:, self._channels(part)] for part in parts]
            projections.update(
                zip(parts, network['neck'][level].forward_batches(batches)))
        return feature, projections

    def _channels(self, part: str) -> slice:
        if part == INSTANCE:
            return slice(None)
        return self.backbone.feature_parts[part]

    def _build_neck(self, neck: Mapping, level: str) -> nn.Module:
        """Build the projector of a level for the channels of its parts."""
        known = self.backbone.feature_parts
        channels = set()
        for part in self.levels[level]:
            if part != INSTANCE and part not in known:
                raise ValueError(
                    f'model.levels.{level} names {part!r}, but the parts of '
                    f'{type(self.backbone).__name__} are '
                    f'{[INSTANCE, *sorted(known)]}')
            channels.add(
                len(range(self.backbone.out_channels)[self._channels(part)]))
        if len(channels) != 1:
            raise ValueError(f'the parts of model.levels.{level} must have '
                             f'the same channels, got {sorted(channels)}')
        return MODELS.build({**neck, 'in_channels': channels.pop()})

    def _check_heads(self) -> None:
        """Refuse a head that wants a part which is not projected."""
        known = [part for parts in self.levels.values() for part in parts]
        for name, head in self.heads.items():
            for part in getattr(head, 'parts', ()):
                if part not in known:
                    raise ValueError(f'model.heads.{name} asks for the part '
                                     f'{part!r}, but model.levels projects '
                                     f'{known}')

    def _start_target(self, state_dict: dict[str, Tensor], prefix: str,
                      *args: Any) -> None:
        """Start the target anew with weights of another method."""
        start = f'{prefix}target.'
        steps = f'{start}steps'
        if not any(key.startswith(start) for key in state_dict):
            state_dict.update(self.target.state_dict(prefix=start))
            state_dict[steps] = torch.zeros_like(self.target.steps)
        elif steps not in state_dict:
            # Before its first step the average is a copy of the network.
            state_dict[steps] = torch.ones_like(self.target.steps)
