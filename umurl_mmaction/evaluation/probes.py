"""Accuracies that features reach, beside the paper's linear evaluation.

Shapes: G training and Q test samples, F features.
"""
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import normalize

from ..models.utils.retrieval import make_gallery, nearest_neighbors


class Draw(Protocol):
    """Maps labels and a seed to the indices of some of them."""

    def __call__(self, labels: Sequence[int], /, *, seed: int) -> list[int]:
        ...


def nearest_neighbor_accuracy(train: np.ndarray,
                              train_labels: np.ndarray,
                              test: np.ndarray,
                              test_labels: np.ndarray,
                              standardize: bool = False) -> float:
    """Label each test sample by its nearest training sample (cosine).

    Args:
        train (np.ndarray): (G, F), float32.
        train_labels (np.ndarray): (G, ), integers.
        test (np.ndarray): (Q, F), float32.
        test_labels (np.ndarray): (Q, ), integers.
        standardize (bool): Whether features have mean 0 and deviation 1 over
            the training samples in each dimension. Defaults to False, as in
            the paper.

    Returns:
        float: Share of the test samples that are right, within 0..1.
    """
    gallery = make_gallery(
        torch.from_numpy(train)[:, None],
        torch.from_numpy(train_labels),
        names=list(map(str, range(len(train)))),
        standardize=standardize)
    labels = gallery.nearest_labels(torch.from_numpy(test)[:, None])
    return float(np.mean(labels.numpy() == test_labels))


def leave_one_out_accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Label each sample by the nearest other one (cosine).

    Args:
        features (np.ndarray): (G, F), float32, with G >= 2.
        labels (np.ndarray): (G, ), integers.

    Returns:
        float: Share of the samples that are right, within 0..1.
    """
    unit = normalize(torch.from_numpy(features))
    _, index = nearest_neighbors(unit, unit, num_neighbors=2)
    # Of two samples that are the same, either may come first.
    first, second = index.T.numpy()
    other = np.where(first == np.arange(len(unit)), second, first)
    return float(np.mean(labels[other] == labels))


def logistic_accuracy(train: np.ndarray, train_labels: np.ndarray,
                      test: np.ndarray, test_labels: np.ndarray) -> float:
    """Fit a logistic regression on standardised features.

    Other than stochastic gradient descent on features as they are, it is
    hardly sensitive to their scale: an untrained encoder is not put at a
    disadvantage. The regularisation is scikit-learn's default (C = 1).

    Args:
        train (np.ndarray): (G, F).
        train_labels (np.ndarray): (G, ), integers.
        test (np.ndarray): (Q, F).
        test_labels (np.ndarray): (Q, ), integers.

    Returns:
        float: Share of the test samples that are right, within 0..1.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(probe.fit(train, train_labels).score(test, test_labels))


def few_label_accuracy(train: np.ndarray,
                       train_labels: np.ndarray,
                       test: np.ndarray,
                       test_labels: np.ndarray,
                       draw: Draw,
                       draws: int = 10) -> float:
    """Average :func:`logistic_accuracy` over draws of a few labelled samples.

    Args:
        train (np.ndarray): (G, F).
        train_labels (np.ndarray): (G, ), integers.
        test (np.ndarray): (Q, F).
        test_labels (np.ndarray): (Q, ), integers.
        draw (Draw): Chooses the training samples that keep their labels.
        draws (int): Number of draws, the same for all features. Defaults to
            10.

    Returns:
        float: Mean share of the test samples that are right, within 0..1.
    """
    accuracies = []
    for seed in range(draws):
        chosen = draw(train_labels.tolist(), seed=seed)
        accuracies.append(
            logistic_accuracy(train[chosen], train_labels[chosen], test,
                              test_labels))
    return float(np.mean(accuracies))
