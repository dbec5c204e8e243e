"""The names of scores, and of what is scored for comparison."""
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from mmaction.evaluation import AccMetric
from mmengine.evaluator import BaseMetric

from .nearest_neighbor_metric import NearestNeighborMetric

# Of what RetrievalBaselineHook logs before a training, only this is no score
# of an encoder; no validation has it.
RAW_JOINTS_SCORE = 'retrieval/raw_joints_top1'
# What tables and pictures call the rows that cost no training.
RAW_JOINTS, UNTRAINED = 'raw joints', 'untrained'


def metric_names(metrics: Iterable[BaseMetric],
                 kinds: Sequence[str]) -> list[str]:
    """List the scores of some metrics, from those of one clip.

    Args:
        metrics (iterable of BaseMetric): The metrics of an evaluator.
        kinds (sequence of str): Kinds of features, for retrieval.

    Returns:
        list[str]: Their names; none if a metric is not known here.
    """
    names: list[str] = []
    for metric in metrics:
        clip: Any = (0, dict.fromkeys(kinds, 0))
        if type(metric) is AccMetric:
            clip = dict(pred=np.zeros(2), label=0)
        elif type(metric) is not NearestNeighborMetric:
            return []
        names += [f'{metric.prefix}/{name}'
                  for name in metric.compute_metrics([clip])]
    return names
