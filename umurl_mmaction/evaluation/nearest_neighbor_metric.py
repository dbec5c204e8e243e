from collections.abc import Sequence
from typing import Any

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class NearestNeighborMetric(BaseMetric):
    """Top-1 accuracy of the nearest neighbour's label.

    The results are ``retrieval/fused_top1`` and, for each modality alone,
    ``retrieval/joint_top1`` and so on, within 0..1.
    """

    default_prefix = 'retrieval'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Collect the labels.

        Args:
            data_batch (Any): Not used.
            data_samples (sequence of dict): ``gt_label`` (1, ) and
                ``retrieved``, the label found by each kind of feature.
        """
        for sample in data_samples:
            self.results.append(
                (int(sample['gt_label']), sample['retrieved']))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the accuracies.

        Args:
            results (list[tuple[int, dict[str, int]]]): True and found labels.

        Returns:
            dict[str, float]: Accuracy of each kind, within 0..1.
        """
        labels, found = zip(*results)
        return {
            f'{name}_top1': sum(x[name] == y for x, y in zip(found, labels)) /
            len(labels)
            for name in found[0]
        }
