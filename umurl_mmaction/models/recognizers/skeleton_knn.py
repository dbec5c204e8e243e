from collections.abc import Mapping
from typing import Any, Optional

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.runner import Runner
from torch import Tensor

from ...registry import mmaction_scope
from ..utils.encoding import (
    FUSED,
    check_finite,
    encode_dataset,
    extract_features,
    names_of,
)
from ..utils.retrieval import Gallery, build_gallery, check_vote_weights


@MODELS.register_module()
class SkeletonKNN(RecognizerGCN):
    """Action retrieval: a clip gets the label of its nearest gallery clips.

    The gallery is encoded at the first prediction, and again after training
    or loading weights, so that MMEngine's val and test loops need nothing
    else. The similarity is the cosine of the features, as in the paper.

    Args:
        backbone (dict): A ``SkeletonEncoder``.
        gallery (dict): Dataloader config of clips, with the pipeline of the
            test set. Predictions want their labels.
        num_neighbors (int): Neighbours that vote. Defaults to 1, as in the
            paper.
        weights (str): Weight of a vote: ``'cosine'`` for (1 + cosine) / 2,
            ``'uniform'`` for 1, as the paper's retrieval script counts.
            Defaults to ``'cosine'``.
        standardize (bool): Whether to compare features that have mean 0 and
            deviation 1 over the gallery in each dimension. The paper compares
            them as they are. Defaults to False.
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.

    Raises:
        ValueError: If ``num_neighbors`` is below 1 or ``weights`` unknown.
    """

    def __init__(self,
                 backbone: dict,
                 gallery: dict,
                 num_neighbors: int = 1,
                 weights: str = 'cosine',
                 standardize: bool = False,
                 data_preprocessor: Mapping = dict(
                     type='SkeletonDataPreprocessor')) -> None:
        super().__init__(
            backbone=backbone,
            data_preprocessor=MODELS.build(data_preprocessor))
        if num_neighbors < 1:
            raise ValueError(f'num_neighbors={num_neighbors} must be at least '
                             '1')
        check_vote_weights(weights)
        self.gallery = gallery
        self.num_neighbors = num_neighbors
        self.weights = weights
        self.standardize = standardize
        self._encoded: Optional[Gallery] = None
        self._register_load_state_dict_pre_hook(self._before_load)

    @property
    def encoded_gallery(self) -> Gallery:
        """The gallery, encoded with the present weights.

        Every rank has all clips, in the dataset's order.
        """
        if self._encoded is None:
            with mmaction_scope():
                loader = Runner.build_dataloader(self.gallery)
            features, samples = encode_dataset(
                self,
                loader.dataset,
                batch_size=loader.batch_size,
                num_workers=loader.num_workers,
                collate_fn=loader.collate_fn)
            metainfo = getattr(loader.dataset, 'metainfo', {})
            self._encoded = build_gallery(
                features[FUSED], samples, self.standardize)._replace(
                    classes=tuple(metainfo.get('classes') or ()))
        return self._encoded

    def train(self, mode: bool = True) -> 'SkeletonKNN':
        """Drop the gallery's features when the weights may change."""
        if mode:
            self._encoded = None
        super().train(mode)
        return self

    def loss(self, inputs: Tensor, data_samples: SampleList,
             **kwargs: Any) -> dict:
        """Refuse to train: retrieval has no loss."""
        raise NotImplementedError(
            'SkeletonKNN only retrieves: run the test tool, not the train one')

    @torch.no_grad()
    def predict(self, inputs: Any, data_samples: SampleList,
                **kwargs: Any) -> SampleList:
        """Score the classes by the votes of the nearest gallery clips.

        Args:
            inputs (Tensor | Streams): Joints, or streams by modality, (N,
                num_clips, M, T, V, C) each.
            data_samples (list[ActionDataSample]): N samples.

        Returns:
            list[ActionDataSample]: With ``pred_score`` (num_classes, ) and
            ``pred_label`` (1, ).

        Raises:
            ValueError: If a feature is not finite, or a clip of the gallery
                has no label.
        """
        gallery = self.encoded_gallery
        query = gallery.query(extract_features(self, inputs)[FUSED])
        check_finite(query, names_of(data_samples))
        cosines, nearest = gallery.search(query, self.num_neighbors)
        scores = gallery.vote(cosines, nearest, self.weights)
        for sample, score in zip(data_samples, scores):
            sample.set_pred_score(score)
            sample.set_pred_label(score.argmax())
        return data_samples

    def _before_load(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Leave out weights that only pre-training needs."""
        self._encoded = None
        for key in list(state_dict):
            if not key.startswith(f'{prefix}backbone.'):
                del state_dict[key]
