from collections.abc import Mapping, Sequence
from typing import Any, Optional

from mmaction.registry import MODELS
from mmengine.model import ModuleDict
from torch import Tensor

from ...skeleton.mixing import mix_with_partner
from ...skeleton.modalities import check_modalities
from ..layers.feature_queue import FeatureQueue
from ..utils.gather import distinct, gather_batch
from ..utils.step_generator import step_generator
from .base import SkeletonPretraining

# The projector of all branches.
SHARED = 'shared'


@MODELS.register_module()
class UmURL(SkeletonPretraining):
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
        share_neck (bool): One projector for all branches, so that the fused
            feature has a single projection. Defaults to False.
        mixing (dict, optional): ``ClipMixing``, which mixes clips in all
            views but the last. The fused feature of the last view, which is
            not mixed, is mixed alike before the projectors, so that the
            target of a mixture is the mixture of the targets. Defaults to
            None.
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.
        init_cfg (dict, optional): MMEngine's initialisation.

    Attributes:
        modalities (tuple[str]): Modalities that are fused, those of the
            encoder.
        num_views (int): Views of a sample, one more than branches.

    Raises:
        ValueError: If the encoder has no part of such a name, or a head that
            keeps a queue is to compare parts.
    """

    # A queue of another size would stay random, and no line would say so.
    checked_weights = {'neck.': '', 'part_necks.': None, 'heads.': None}
    size_settings = {'heads.': 'the settings of the heads'}

    def __init__(self,
                 backbone: dict,
                 neck: Mapping,
                 heads: Mapping[str, dict],
                 branches: Optional[Mapping[str, Any]] = None,
                 parts: Optional[Mapping[str, float]] = None,
                 part_neck: Optional[Mapping] = None,
                 share_neck: bool = False,
                 mixing: Optional[dict] = None,
                 data_preprocessor: Mapping = dict(
                     type='SkeletonDataPreprocessor'),
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(backbone, data_preprocessor, init_cfg)
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
        self.fit_views(len(self.branches) + 1)
        neck = {'in_channels': self.backbone.out_channels, **neck}
        self.share_neck = share_neck
        self.neck = self._build_necks(neck)
        self.parts = dict(parts or {})
        self.part_necks = ModuleDict({
            part: self._build_part_necks(part, part_neck or neck)
            for part in self.parts
        })
        self.heads = ModuleDict(
            {name: MODELS.build(head)
             for name, head in heads.items()})
        if self.parts:
            self._check_heads()
        self.mixing: Any = MODELS.build(mixing) if mixing else None

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
        self.check_views(
            views, f'{list(self.branches)} want {self.num_views}: one for '
            'each and one for all together; num_views of SkeletonMultiView '
            'makes them, and model.backbone.modalities or model.branches says '
            'how many are wanted')
        features = self._encode_mixed(views)
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

    def _encode_mixed(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Encode mixed views, and mix the fused feature alike."""
        if self.mixing is None:
            return self._encode(views)
        *views, last = views
        generator = step_generator(len(last), last.device)
        # The views have drawn from the first sequences.
        own = generator and generator.of_views(range(127, 128))
        share = self.mixing(
            len(last), last.shape[1:], self.backbone.layout, own)
        joints = share.to(last.device)[:, None, :, :, None]
        *features, fused = self._encode(
            [*(mix_with_partner(view, joints) for view in views), last])
        clips = joints.flatten(1).mean(dim=1, keepdim=True)
        return [*features, mix_with_partner(fused, clips)]

    def _project(
        self, necks: ModuleDict, features: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Project features as :meth:`_encode` returns them."""
        if self.share_neck:
            shared: Any = necks[SHARED]
            *projected, fused = shared.forward_batches(features)
            return (dict(zip(self.branches, projected)),
                    dict.fromkeys(self.branches, fused))
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
        # Branches may share a projection.
        own = distinct([*uni.values(), *decomposed.values()])
        pairs = list(zip(own, gather_batch(own)))
        uni, decomposed = ({
            name: next(whole for mine, whole in pairs if mine is x)
            for name, x in projections.items()
        } for projections in (uni, decomposed))
        return self.apply_heads(uni, decomposed)

    def _check_heads(self) -> None:
        """Refuse heads that would put parts into the queue of the feature."""
        for name, head in self.heads.items():
            if any(isinstance(x, FeatureQueue) for x in head.modules()):
                raise ValueError(
                    f'model.heads.{name} keeps a queue, which parts of the '
                    f'feature cannot share: leave out model.parts='
                    f'{self.parts}')

    def _build_part_necks(self, part: str, neck: Mapping) -> ModuleDict:
        """Build the projectors of a part, one per branch."""
        known = self.backbone.feature_parts
        if part not in known:
            raise ValueError(f'model.parts names {part!r}, but the parts of '
                             f'{type(self.backbone).__name__} are '
                             f'{sorted(known)}')
        channels = len(range(self.backbone.out_channels)[known[part]])
        return self._build_necks({**neck, 'in_channels': channels})

    def _build_necks(self, neck: Mapping) -> ModuleDict:
        """Build the projectors of all branches."""
        names = [SHARED] if self.share_neck else self.branches
        return ModuleDict({name: MODELS.build(neck) for name in names})
