from collections.abc import Mapping
from typing import Optional

from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from mmaction.utils import SampleList
from torch import Tensor, nn

from ...datasets.facts import read_facts
from ..utils.encoding import check_finite, names_of


@MODELS.register_module()
class LinearClsHead(BaseHead):
    """One linear layer on the feature, with softmax cross entropy.

    Args:
        num_classes (int, optional): Defaults to the number of classes of
            ``ann_file``.
        in_channels (int): Channels of the feature. Defaults to 2048, as
            ``UmURLBackbone`` has.
        loss_cls (dict): Defaults to ``dict(type='CrossEntropyLoss')``.
        average_clips (str, optional): Average of the clips of a sample:
            ``'prob'``, ``'score'`` or None. Defaults to ``'prob'``.
        init_cfg (dict): Defaults to weights from N(0, 0.01) and zero biases.
        ann_file (str, optional): Annotation file that describes the data.
            Defaults to None.

    Raises:
        ValueError: If the number of classes is not known.
    """

    def __init__(
        self,
        num_classes: Optional[int] = None,
        in_channels: int = 2048,
        loss_cls: Mapping = dict(type='CrossEntropyLoss'),
        average_clips: Optional[str] = 'prob',
        init_cfg: Mapping = dict(type='Normal', layer='Linear', std=0.01),
        ann_file: Optional[str] = None
    ) -> None:
        if num_classes is None and ann_file is not None:
            num_classes = read_facts(ann_file).num_classes
        if not num_classes:
            raise ValueError('the number of classes is not known: set '
                             'model.cls_head.num_classes, or '
                             'model.cls_head.ann_file to a file with labels')
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls,
            average_clips=average_clips,
            init_cfg=init_cfg)
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Compute scores: (N, in_channels) -> float32 (N, num_classes)."""
        # MMAction2 counts hits in NumPy, which has no bfloat16.
        return self.fc(x).float()

    def predict_by_feat(self, cls_scores: Tensor,
                        data_samples: SampleList) -> SampleList:
        """Predict as ``BaseHead`` does, but not from what is not finite.

        Args:
            cls_scores (Tensor): (N * num_clips, num_classes).
            data_samples (list[ActionDataSample]): N samples.

        Returns:
            list[ActionDataSample]: With ``pred_score`` and ``pred_label``.

        Raises:
            ValueError: If a score is not finite. Names the clip.
        """
        check_finite(
            cls_scores.unflatten(0, (len(data_samples), -1)),
            names_of(data_samples))
        return super().predict_by_feat(cls_scores, data_samples)
