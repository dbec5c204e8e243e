from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import torch
from mmaction.registry import MODELS
from mmengine.dist import get_world_size
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn import functional as F

from ...skeleton.layout import build_layout
from ...skeleton.modalities import check_modalities, generate_modalities
from ..official.names import check_shapes, rename_official
from ..utils.gather import gather_batch
from ..utils.retrieval import nearest_neighbors
from ..utils.views import forward_views


@MODELS.register_module()
class UmURL(BaseModel):
    """Unified multi-modal unsupervised representation learning.

    Of m + 1 augmented views of a sample, view i gives the stream of modality
    i alone and the last one all streams together. One encoder turns each of
    them into a feature; a projector per modality takes the modality's own
    feature and the fused one into a common space, where the heads compare
    them. See `UmURL: Unified Multi-modal Unsupervised Representation
    Learning for Skeleton-based Action Understanding
    <https://arxiv.org/abs/2311.03106>`_.

    Args:
        backbone (dict): Anything that maps a dict of modality streams, each
            (N, M, T, V, C), to a feature (N, F).
        neck (dict): Projector (N, F) -> (N, D), built once per modality.
        heads (dict[str, dict]): Independent loss terms by name; each maps the
            uni-modal and the decomposed projections, two dicts of modality
            -> (B, D), to a dict of losses.
        modalities (sequence of str): Order of the views. Defaults to
            ``('joint', 'bone', 'motion')``.
        graph_cfg (dict): The views' layout, as in ``UmURLBackbone``.
        branches (dict[str, sequence of str], optional): What each view but
            the last one gives, by name. Defaults to each modality alone, as
            in the paper.
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.
        init_cfg (dict, optional): MMEngine's initialisation.
    """

    def __init__(self,
                 backbone: dict,
                 neck: dict,
                 heads: Mapping[str, dict],
                 modalities: Sequence[str] = ('joint', 'bone', 'motion'),
                 graph_cfg: Mapping = dict(layout='nturgb+d'),
                 branches: Optional[Mapping[str, Sequence[str]]] = None,
                 data_preprocessor: Mapping = dict(
                     type='SkeletonDataPreprocessor'),
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(MODELS.build(data_preprocessor), init_cfg)
        check_modalities(modalities)
        self.modalities = tuple(modalities)
        self.layout = build_layout(graph_cfg['layout'])
        self.branches = dict(branches or {m: (m, ) for m in modalities})
        for streams in self.branches.values():
            check_modalities(streams)
        self.backbone = MODELS.build(backbone)
        self.neck = nn.ModuleDict(
            {name: MODELS.build(neck)
             for name in self.branches})
        self.heads = nn.ModuleDict(
            {name: MODELS.build(head)
             for name, head in heads.items()})
        # Features by kind and labels, while retrieval is monitored.
        self.gallery: Optional[tuple[Tensor, Tensor]] = None
        # The backbone takes care of its own weights.
        self._register_load_state_dict_pre_hook(self._check_projectors)

    def forward(self,
                inputs: Union[Sequence[Tensor], Tensor],
                data_samples: Optional[list] = None,
                mode: str = 'tensor') -> Union[dict, Tensor, list]:
        """Losses of a batch of views, or the fused feature of joints.

        Args:
            inputs (sequence of Tensor | Tensor): In mode ``'loss'`` one joint
                array (N, M, T, V, C) per modality and one for all of them
                together; in mode ``'tensor'`` one joint array; in mode
                ``'predict'``, for ``RetrievalMonitorHook``, one joint array
                with MMAction2's clip axis, (N, 1, M, T, V, C).
            data_samples (list, optional): Looked at in mode ``'predict'``
                only; the method needs no labels.
            mode (str): ``'loss'``, ``'tensor'`` or ``'predict'``. Defaults to
                ``'tensor'``.

        Returns:
            dict[str, Tensor] | Tensor | list: The loss terms, (N, F), or the
            data samples with ``retrieved``.
        """
        if mode == 'loss' and not isinstance(inputs, Tensor):
            return self.loss(inputs)
        if mode == 'tensor' and isinstance(inputs, Tensor):
            return self.backbone(self._streams(inputs, self.modalities))
        if (mode == 'predict' and isinstance(inputs, Tensor)
                and self.gallery is not None):
            return self.retrieve(inputs, data_samples or [])
        raise ValueError(f"wanted is mode 'loss' on views or 'tensor' on a "
                         f'joint array, got mode {mode!r} on '
                         f'{type(inputs).__name__}; to evaluate, use '
                         'SkeletonKNN or RecognizerGCN')

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, dict]:
        """The fused feature, then that of each modality alone.

        Args:
            inputs (Tensor): One joint array a sample, (N, 1, M, T, V, C).

        Returns:
            tuple[Tensor, dict]: (N, (1 + m) * F), and nothing else, as
            recognizers give it; (N, F) where there is one modality only.
        """
        streams = self._streams(inputs[:, 0], self.modalities)
        kinds = [streams]
        if len(streams) > 1:
            kinds += [{name: stream} for name, stream in streams.items()]
        return torch.cat(forward_views(self.backbone, kinds), dim=1), {}

    def retrieve(self, inputs: Tensor, data_samples: list) -> list:
        """Label each sample by its nearest one in the gallery.

        Args:
            inputs (Tensor): One joint array a sample, (N, 1, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples.

        Returns:
            list[ActionDataSample]: With ``retrieved``, a dict of the label
            that each kind of feature finds: ``'fused'`` and the modalities.
        """
        assert self.gallery is not None
        features, labels = self.gallery
        names = ['fused', *self.modalities]
        names = names[:1] if len(names) == 2 else names
        found = {}
        for name, query, gallery in zip(
                names,
                self.extract_feat(inputs)[0].chunk(len(names), dim=1),
                features.chunk(len(names), dim=1)):
            _, index = nearest_neighbors(
                F.normalize(query), F.normalize(gallery))
            found[name] = labels[index[:, 0]].tolist()
        for i, sample in enumerate(data_samples):
            retrieved = {name: label[i] for name, label in found.items()}
            sample.set_field(retrieved, 'retrieved')
        return data_samples

    def loss(self, views: Sequence[Tensor]) -> dict[str, Tensor]:
        """The heads' terms over the whole (all-rank) batch.

        Args:
            views (sequence of Tensor): m + 1 joint arrays, (N, M, T, V, C).

        Returns:
            dict[str, Tensor]: Scalars.

        Raises:
            ValueError: If the number of views is another, or the batch is a
                single sample, whose variance is not defined.
        """
        if len(views) != len(self.branches) + 1:
            raise ValueError(
                f'{len(views)} views were given, but {list(self.branches)} '
                f'want {len(self.branches) + 1}: one for each and one for '
                'all together')
        if len(views[0]) * get_world_size() < 2:
            raise ValueError('pre-training on a batch of one sample: the '
                             'variance over the batch is not defined; set '
                             'batch_size to 2 or more and drop_last=True')
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
        """What the heads compare, of this rank's share of the batch.

        Args:
            views (sequence of Tensor): m + 1 joint arrays, (N, M, T, V, C).

        Returns:
            tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]: The fused
            feature (N, F), and by branch the uni-modal and the decomposed
            projections, (N, D).
        """
        streams = [
            self._streams(view, modalities)
            for view, modalities in zip(views, self.branches.values())
        ]
        streams.append(self._streams(views[-1], self.modalities))
        *features, fused = forward_views(self.backbone, streams)
        uni, decomposed = {}, {}
        for name, feature in zip(self.branches, features):
            neck: Any = self.neck[name]
            uni[name], decomposed[name] = neck.forward_batches(
                [feature, fused])
        return fused, uni, decomposed

    def _streams(self, view: Tensor,
                 modalities: Sequence[str]) -> dict[str, Tensor]:
        return generate_modalities(view, modalities, self.layout)

    def _check_projectors(self, state_dict: dict[str, Tensor], prefix: str,
                          *args: Any) -> None:
        """Rename the paper's projectors; refuse those of another size."""
        file_keys = rename_official(state_dict, prefix, place='', part='neck.')
        check_shapes(
            state_dict, self.neck.state_dict(prefix=f'{prefix}neck.'),
            file_keys,
            type(self).__name__,
            'in_channels and out_channels of the neck must be those of the '
            'pre-training')
