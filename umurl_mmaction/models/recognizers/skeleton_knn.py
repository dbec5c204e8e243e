from collections.abc import Mapping
from typing import Any, Optional

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F

from ..utils.encoding import encode_dataset
from ..utils.retrieval import nearest_neighbors


@MODELS.register_module()
class SkeletonKNN(RecognizerGCN):
    """Action retrieval: the label of the nearest clips of a gallery.

    The gallery is a dataloader config. It is encoded at the first prediction
    and again after training or loading weights, so that MMEngine's val and
    test loops need nothing else. The metric is the cosine of the features,
    and one neighbour decides, as in the paper.

    Args:
        backbone (dict): Maps joints (N, M, T, V, C) to a feature (N, F).
        gallery (dict): Dataloader config of labelled clips, with the
            pipeline of the test set.
        num_neighbors (int): Neighbours that vote, each with the weight
            (1 + cosine) / 2. Defaults to 1.
        data_preprocessor (dict): Defaults to ``SkeletonDataPreprocessor``.

    Attributes:
        gallery_names (list[str]): Names of the clips of the gallery that was
            encoded last.
    """

    def __init__(self,
                 backbone: dict,
                 gallery: dict,
                 num_neighbors: int = 1,
                 data_preprocessor: Mapping = dict(
                     type='SkeletonDataPreprocessor')) -> None:
        super().__init__(
            backbone=backbone,
            data_preprocessor=MODELS.build(data_preprocessor))
        if num_neighbors < 1:
            raise ValueError(f'num_neighbors={num_neighbors} must be at least '
                             '1')
        self.gallery = gallery
        self.num_neighbors = num_neighbors
        self.gallery_names: list[str] = []
        self._index: Optional[tuple[Tensor, Tensor]] = None
        self._register_load_state_dict_pre_hook(self._before_load)

    def _before_load(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Leave out what only pre-training needs, such as projectors."""
        self._index = None
        for key in list(state_dict):
            if not key.startswith(f'{prefix}backbone.'):
                del state_dict[key]

    def train(self, mode: bool = True) -> 'SkeletonKNN':
        """The gallery's features are void once the weights may change."""
        if mode:
            self._index = None
        super().train(mode)
        return self

    def loss(self, inputs: Tensor, data_samples: SampleList,
             **kwargs: Any) -> dict:
        """Retrieval has nothing to train."""
        raise NotImplementedError(
            'SkeletonKNN only retrieves: run the test tool, not the train one')

    def encode_gallery(self) -> tuple[Tensor, Tensor]:
        """Features and labels of the gallery, in the dataset's order.

        Returns:
            tuple[Tensor, Tensor]: Unit features (G, F), and labels (G, ),
            int64; the same on every rank.
        """
        loader = Runner.build_dataloader(self.gallery)
        for name, label in getattr(loader.dataset, 'labels', ()):
            if label is None:
                raise ValueError(f'clip {name!r} of the gallery has no label')
        features, samples = encode_dataset(
            self,
            loader.dataset,
            batch_size=loader.batch_size,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn)
        self.gallery_names = [
            str(sample.get('frame_dir', i)) for i, sample in enumerate(samples)
        ]
        labels = torch.cat([sample.gt_label for sample in samples])
        return self._unit(features), labels.to(features.device)

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: SampleList,
                **kwargs: Any) -> SampleList:
        """Score the classes by the votes of the nearest gallery clips.

        Args:
            inputs (Tensor): (N, num_clips, M, T, V, C).
            data_samples (list[ActionDataSample]): N samples.

        Returns:
            list[ActionDataSample]: With ``pred_score`` (num_classes, ) and
            ``pred_label`` (1, ).
        """
        if self._index is None:
            self._index = self.encode_gallery()
        feature, label = self._index
        query, _ = self.extract_feat(inputs)
        query = self._unit(query.reshape(len(inputs), -1, query.shape[-1]))
        cosine, index = nearest_neighbors(
            query, feature, min(self.num_neighbors, len(label)))
        scores = cosine.new_zeros(len(cosine), int(label.max()) + 1)
        scores.scatter_add_(1, label[index], (1 + cosine) / 2)
        for sample, score in zip(data_samples, scores):
            sample.set_pred_score(score)
            sample.set_pred_label(score.argmax())
        return data_samples

    @staticmethod
    def _unit(features: Tensor) -> Tensor:
        """Average a sample's clips: (N, num_clips, F) -> unit (N, F)."""
        return F.normalize(features.mean(dim=1).float(), dim=1)
