from collections.abc import Sequence
from typing import Any

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class NearestNeighborMetric(BaseMetric):
    """Top-1 of the nearest neighbour's label, for each kind of feature.

    Gives ``retrieval/fused_top1`` and, of each modality alone,
    ``retrieval/joint_top1`` and so on, within 0..1.
    """

    default_prefix = 'retrieval'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Collect the labels.

        Args:
            data_batch (Any): Unused.
            data_samples (sequence of dict): With ``gt_label`` (1, ) and
                ``retrieved``, the label found by each kind of feature.
        """
        for sample in data_samples:
            self.results.append(
                (int(sample['gt_label']), sample['retrieved']))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Accuracies by name, the fused one first.

        Args:
            results (list[tuple[int, dict[str, int]]]): True labels, and those
                found.

        Returns:
            dict[str, float]: Within 0..1.
        """
        labels, found = zip(*results)
        return {
            f'{name}_top1': sum(x[name] == y for x, y in zip(found, labels)) /
            len(labels)
            for name in found[0]
        }
