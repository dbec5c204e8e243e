from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from mmaction.registry import MODELS
from mmengine.dist import get_world_size
from mmengine.model import BaseModel
from torch import Tensor, nn

from ...skeleton.modalities import check_modalities
from ..backbones import SkeletonEncoder
from ..data_preprocessors import SkeletonDataPreprocessor
from ..official.checks import check_weights
from ..utils.gather import gather_batch


@MODELS.register_module()
class UmURL(BaseModel):
    """Unified multi-modal unsupervised representation learning.

    A sample has m + 1 augmented views. View i gives the stream of modality i
    alone, and the last view gives all streams together. One encoder turns
    each view into a feature. The projector of each modality maps the
    uni-modal feature and the fused one into the same space, where the heads
    compare them. See `UmURL: Unified Multi-modal Unsupervised Representation
    Learning for Skeleton-based Action Understanding
    <https://arxiv.org/abs/2311.03106>`_.

    Args:
        backbone (dict): A ``SkeletonEncoder``, which determines the layout.
        neck (dict): Projector (N, F) -> (N, D), built once per branch.
            ``in_channels`` defaults to the encoder's ``out_channels``.
        heads (dict[str, dict]): Independent loss terms by name; each maps the
            uni-modal and the decomposed projections, two dicts of branch ->
            (B, D), to a dict of losses.
        branches (dict[str, sequence of str], optional): Name and modalities
            of each view except the last one; None stands for all modalities
            of the encoder. Defaults to each modality alone, as in the paper.
        parts (dict[str, float], optional): Weights of the heads' losses on
            parts of the feature alone, by names of the encoder's
            ``feature_parts``. USDRL (Weng et al., AAAI 2025) has
            ``dict(temporal=0.5, spatial=0.5)``. Defaults to None: only the
            whole feature counts.
        part_neck (dict, optional): Projector of a part, built once per part
            and branch for the channels of the part. Defaults to ``neck``.
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.
        init_cfg (dict, optional): MMEngine's initialisation.

    Attributes:
        modalities (tuple[str]): Modalities that are fused, those of the
            encoder.
        num_views (int): Views of a sample, one more than branches.

    Raises:
        ValueError: If the encoder has no part of such a name.
    """

    def __init__(self,
                 backbone: dict,
                 neck: Mapping,
                 heads: Mapping[str, dict],
                 branches: Optional[Mapping[str, Any]] = None,
                 parts: Optional[Mapping[str, float]] = None,
                 part_neck: Optional[Mapping] = None,
                 data_preprocessor: Mapping = dict(
                     type='SkeletonDataPreprocessor'),
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(MODELS.build(data_preprocessor), init_cfg)
        self.backbone: SkeletonEncoder = MODELS.build(backbone)
        self.modalities = self.backbone.modalities
        branches = branches or {m: (m, ) for m in self.modalities}
        self.branches = {
            name: tuple(streams or self.modalities)
            for name, streams in branches.items()
        }
        for name, streams in self.branches.items():
            check_modalities(streams)
            for modality in streams:
                if modality not in self.modalities:
                    raise ValueError(
                        f'model.branches.{name} has {modality!r}, which is '
                        'not in model.backbone.modalities='
                        f'{self.modalities}')
        self.num_views = len(self.branches) + 1
        if isinstance(self.data_preprocessor, SkeletonDataPreprocessor):
            self.data_preprocessor.fit_views(self.num_views,
                                             self.backbone.input_shape,
                                             self.backbone.layout)
        neck = {'in_channels': self.backbone.out_channels, **neck}
        self.neck = nn.ModuleDict(
            {name: MODELS.build(neck)
             for name in self.branches})
        self.parts = dict(parts or {})
        self.part_necks = nn.ModuleDict({
            part: self._build_part_necks(part, part_neck or neck)
            for part in self.parts
        })
        self.heads = nn.ModuleDict(
            {name: MODELS.build(head)
             for name, head in heads.items()})
        # The backbone checks its own weights.
        self._register_load_state_dict_pre_hook(self._check_projectors)

    def forward(self,
                inputs: Union[Sequence[Tensor], Tensor],
                data_samples: Optional[list] = None,
                mode: str = 'tensor') -> Union[dict, Tensor]:
        """Compute losses of a batch of views, or the fused feature of joints.

        Args:
            inputs (sequence of Tensor | Tensor): ``num_views`` joint arrays
                (N, M, T, V, C) in mode ``'loss'``, one in mode ``'tensor'``.
            data_samples (list, optional): Not used: the method needs no
                labels.
            mode (str): ``'loss'`` or ``'tensor'``. Defaults to ``'tensor'``.

        Returns:
            dict[str, Tensor] | Tensor: The loss terms, or (N, F).

        Raises:
            ValueError: If the mode does not fit the inputs.
        """
        if mode == 'loss' and not isinstance(inputs, Tensor):
            return self.loss(inputs)
        if mode == 'tensor' and isinstance(inputs, Tensor):
            return self.backbone(
                self.backbone.streams(inputs, self.modalities))
        raise ValueError(f"wanted is mode 'loss' on views or 'tensor' on a "
                         f'joint array, got mode {mode!r} on '
                         f'{type(inputs).__name__}; to evaluate, use '
                         'SkeletonKNN or RecognizerGCN')

    def loss(self, views: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute the terms of the heads over the batch of all ranks.

        Args:
            views (sequence of Tensor): ``num_views`` joint arrays, (N, M, T,
                V, C).

        Returns:
            dict[str, Tensor]: Scalars; the terms of a part have its name at
            the end, such as ``loss_intra_temporal``.

        Raises:
            ValueError: If the number of views is wrong, or the batch has a
                single sample, so that its variance is not defined.
        """
        if len(views) != self.num_views:
            raise ValueError(
                f'{len(views)} views were given, but {list(self.branches)} '
                f'want {self.num_views}: one for each and one for all '
                'together; num_views of SkeletonMultiView makes them, and '
                'model.backbone.modalities or model.branches says how many '
                'are wanted')
        if len(views[0]) * get_world_size() < 2:
            raise ValueError('pre-training on a batch of one sample: the '
                             'variance over the batch is not defined; set '
                             'batch_size to 2 or more')
        features = self._encode(views)
        losses = self._compare(*self._project(self.neck, features))
        for part, weight in self.parts.items():
            channels = self.backbone.feature_parts[part]
            necks: Any = self.part_necks[part]
            terms = self._compare(*self._project(
                necks, [feature[:, channels] for feature in features]))
            losses.update({
                f'{name}_{part}': weight * term
                for name, term in terms.items()
            })
        return losses

    def project(
        self, views: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Project this rank's part of the batch.

        Args:
            views (sequence of Tensor): As for :meth:`loss`.

        Returns:
            tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]: The fused
            feature (N, F), and by branch the uni-modal and the decomposed
            projections, (N, D).
        """
        features = self._encode(views)
        return (features[-1], *self._project(self.neck, features))

    def _encode(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Encode the views: (N, F) of each branch, then the fused one."""
        chosen = [*self.branches.values(), self.modalities]
        return self.backbone.encode_views([
            self.backbone.streams(view, modalities)
            for view, modalities in zip(views, chosen)
        ])

    def _project(
        self, necks: nn.ModuleDict, features: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Project features as :meth:`_encode` returns them."""
        *features, fused = features
        uni, decomposed = {}, {}
        for name, feature in zip(self.branches, features):
            # As in the paper's code, the fused feature updates the running
            # statistics first.
            neck: Any = necks[name]
            decomposed[name], uni[name] = neck.forward_batches(
                [fused, feature])
        return uni, decomposed

    def _compare(self, uni: dict[str, Tensor],
                 decomposed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the terms of the heads over the batch of all ranks."""
        whole = iter(gather_batch([*uni.values(), *decomposed.values()]))
        uni = {name: next(whole) for name in uni}
        decomposed = {name: next(whole) for name in decomposed}
        losses = {}
        for head in self.heads.values():
            losses.update(head(uni, decomposed))
        return losses

    def _build_part_necks(self, part: str, neck: Mapping) -> nn.ModuleDict:
        """Build the projectors of a part, one per branch."""
        known = self.backbone.feature_parts
        if part not in known:
            raise ValueError(f'model.parts names {part!r}, but the parts of '
                             f'{type(self.backbone).__name__} are '
                             f'{sorted(known)}')
        channels = len(range(self.backbone.out_channels)[known[part]])
        neck = {**neck, 'in_channels': channels}
        return nn.ModuleDict(
            {name: MODELS.build(neck)
             for name in self.branches})

    def _check_projectors(self, state_dict: dict[str, Tensor], prefix: str,
                          *args: Any) -> None:
        """Refuse projectors of another size."""
        for part, official in (('neck.', ''), ('part_necks.', None)):
            check_weights(
                self,
                state_dict,
                prefix,
                part=part,
                required=None,
                size_hint='in_channels and out_channels of the neck must be '
                'those of the pre-training',
                official=official)
