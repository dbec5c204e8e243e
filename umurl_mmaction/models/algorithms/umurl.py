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
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.
        init_cfg (dict, optional): MMEngine's initialisation.

    Attributes:
        modalities (tuple[str]): Modalities that are fused, those of the
            encoder.
        num_views (int): Views of a sample, one more than branches.
    """

    def __init__(self,
                 backbone: dict,
                 neck: Mapping,
                 heads: Mapping[str, dict],
                 branches: Optional[Mapping[str, Any]] = None,
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
                                             self.backbone.input_shape)
        neck = {'in_channels': self.backbone.out_channels, **neck}
        self.neck = nn.ModuleDict(
            {name: MODELS.build(neck)
             for name in self.branches})
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
            dict[str, Tensor]: Scalars.

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
        _, uni, decomposed = self.project(views)
        whole = iter(gather_batch([*uni.values(), *decomposed.values()]))
        uni = {name: next(whole) for name in uni}
        decomposed = {name: next(whole) for name in decomposed}
        losses = {}
        for head in self.heads.values():
            losses.update(head(uni, decomposed))
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
        chosen = [*self.branches.values(), self.modalities]
        *features, fused = self.backbone.encode_views([
            self.backbone.streams(view, modalities)
            for view, modalities in zip(views, chosen)
        ])
        uni, decomposed = {}, {}
        for name, feature in zip(self.branches, features):
            # As in the paper's code, the fused feature updates the running
            # statistics first.
            neck: Any = self.neck[name]
            decomposed[name], uni[name] = neck.forward_batches(
                [fused, feature])
        return fused, uni, decomposed

    def _check_projectors(self, state_dict: dict[str, Tensor], prefix: str,
                          *args: Any) -> None:
        """Refuse projectors of another size."""
        check_weights(
            self,
            state_dict,
            prefix,
            part='neck.',
            required=None,
            size_hint='in_channels and out_channels of the neck must be those '
            'of the pre-training',
            official='')
