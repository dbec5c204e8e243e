"""How good the features of encoders are, in the columns of the results."""
import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Optional

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from ..datasets.subset import class_balanced_subset, draw_per_class
from ..evaluation.probes import (
    Draw,
    few_label_accuracy,
    logistic_accuracy,
    nearest_neighbor_accuracy,
)
from ..models.utils.encoding import encode_dataset
from ..registry import mmaction_scope
from .markdown import percents, table


class EncoderScores:
    """Scores encoders on the two sets of a retrieval config.

    The columns are top-1 accuracies on the test set, with the gallery as
    training set: 1-nearest neighbour as in the paper and with standardised
    features, and a logistic regression on standardised features with all
    labels and with a few of each class.

    With ``group``, a recipe can be chosen without a look at the test set:
    the clips of one group of the gallery after the other, such as a subject,
    are the test set, and the rest of the gallery is the training set. The
    accuracies are means over all clips.

    Args:
        cfg (Config): Has ``model.gallery`` and ``test_dataloader``.
        per_class (sequence of int): Numbers of labels of each class.
        draws (int): Draws of such labels.
        group (str, optional): Regular expression; what its parentheses match
            in a clip's name is the clip's group. Defaults to None.
        fractions (sequence of float): Shares of the labels of each class,
            also drawn. Defaults to none.

    Raises:
        ValueError: If the config has no gallery, a clip has no label, or
            ``group`` does not tell the clips apart.
    """

    def __init__(self,
                 cfg: Config,
                 per_class: Sequence[int],
                 draws: int,
                 group: Optional[str] = None,
                 fractions: Sequence[float] = ()) -> None:
        if 'gallery' not in cfg.model:
            raise ValueError('the config has no model.gallery; wanted is one '
                             'for retrieval, such as umurl-knn_synthetic.py')
        self.few: dict[str, Draw] = {
            **{
                f'logistic, {count} a class':
                partial(draw_per_class, per_class=count)
                for count in per_class
            },
            **{
                f'logistic, {100 * share:g} % of the labels':
                partial(class_balanced_subset, fraction=share)
                for share in fractions
            }
        }
        self.draws = draws
        self.batch_size = cfg.test_dataloader.batch_size
        loaders = [cfg.model.gallery, cfg.test_dataloader]
        with mmaction_scope():
            self.sets = [
                DATASETS.build(loader.dataset)
                for loader in (loaders[:1] if group else loaders)
            ]
        for dataset in self.sets:
            for name, label in dataset.labels:
                if label is None:
                    raise ValueError(
                        f'clip {name!r} of {dataset.ann_file!r} has no label, '
                        'which an accuracy needs')
        self.groups: Optional[np.ndarray] = None
        if group:
            names = [name for name, _ in self.sets[0].labels]
            self.groups = _groups_of(names, group)
            if len(set(self.groups)) < 2:
                raise ValueError(f'group={group!r} puts all clips into one '
                                 f'group, {self.groups[0]!r}')

    def __call__(self, model: Any,
                 kinds: Sequence[str]) -> dict[str, dict[str, float]]:
        """Score a model.

        Args:
            model (nn.Module): A model with an encoder.
            kinds (sequence of str): Kinds of feature, such as ``'fused'``.

        Returns:
            dict[str, dict[str, float]]: For each kind, accuracy by column,
            within 0..1.
        """
        arrays: dict[str, list[Any]] = {kind: [] for kind in kinds}
        for dataset in self.sets:
            features, samples = encode_dataset(
                model,
                dataset,
                kinds,
                batch_size=self.batch_size,
                collate_fn=pseudo_collate)
            labels = torch.cat([sample.gt_label for sample in samples])
            for kind, feature in features.items():
                means = feature.mean(dim=1).float().cpu().numpy()
                arrays[kind] += [means, labels.numpy()]
        if self.groups is None:
            return {x: self._score(*values) for x, values in arrays.items()}
        return {
            x: self._leave_out(self.groups, *values)
            for x, values in arrays.items()
        }

    def _leave_out(self, groups: np.ndarray, features: np.ndarray,
                   labels: np.ndarray) -> dict[str, float]:
        """Score one group after the other against the rest."""
        total: dict[str, float] = {}
        for group in sorted(set(groups)):
            test = groups == group
            scores = self._score(features[~test], labels[~test],
                                 features[test], labels[test])
            for column, value in scores.items():
                share = value * float(test.mean())
                total[column] = total.get(column, 0.) + share
        return total

    def _score(self, train: np.ndarray, train_labels: np.ndarray,
               test: np.ndarray, test_labels: np.ndarray) -> dict[str, float]:
        arrays = train, train_labels, test, test_labels
        scores = {
            '1-NN': nearest_neighbor_accuracy(*arrays),
            '1-NN standardised': nearest_neighbor_accuracy(
                *arrays, standardize=True),
            'logistic': logistic_accuracy(*arrays)
        }
        for column, draw in self.few.items():
            scores[column] = few_label_accuracy(
                *arrays, draw=draw, draws=self.draws)
        return scores


def _groups_of(names: Sequence[str], group: str) -> np.ndarray:
    """Return what the parentheses of ``group`` match in each clip's name."""
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ValueError(
            f'group={group!r} is no regular expression: {error}') from error
    found = [pattern.search(name) for name in names]
    for name, match in zip(names, found):
        if match is None or not match.groups():
            raise ValueError(f'group={group!r} wants one pair of parentheses '
                             f'that matches in each name, got clip {name!r}')
    return np.array([match[1] for match in found if match])


def make_row(encoder: str, feature: str,
             scores: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Average the scores of several runs of an encoder.

    Args:
        encoder (str): Name of the encoder.
        feature (str): Kind of feature.
        scores (sequence of dict): Accuracy by column, one dict a run.

    Returns:
        dict: ``encoder``, ``feature``, ``runs``, and by column ``mean`` and
        ``deviation`` over the runs.
    """
    columns = list(scores[0])
    return dict(
        encoder=encoder,
        feature=feature,
        runs=len(scores),
        mean={x: float(np.mean([s[x] for s in scores])) for x in columns},
        deviation={x: float(np.std([s[x] for s in scores])) for x in columns})


def to_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Make a table of the rows of :func:`make_row`, in percent."""
    columns = list(rows[0]['mean'])
    return table(
        ['encoder', 'feature', *columns],
        [[row['encoder'], row['feature'], *percents(row, columns, row['runs'])]
         for row in rows],
        num_texts=2)
