"""Accuracies that features reach, beside the paper's linear evaluation.

Shapes: G training and Q test samples, F features.
"""
from collections.abc import Sequence
from typing import Callable

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import normalize

from ..models.utils.retrieval import build_gallery, nearest_neighbors

Draw = Callable[[Sequence[int], int], list[int]]


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
    samples = []
    for label in train_labels.tolist():
        samples.append(ActionDataSample().set_gt_label(label))
    gallery = build_gallery(
        torch.from_numpy(train)[:, None], samples, standardize)
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
        draw (callable): Maps the training labels and a seed to the indices
            of the samples that keep theirs.
        draws (int): Number of draws, the same for all features. Defaults to
            10.

    Returns:
        float: Mean share of the test samples that are right, within 0..1.
    """
    accuracies = []
    for seed in range(draws):
        chosen = draw(train_labels.tolist(), seed)
        accuracies.append(
            logistic_accuracy(train[chosen], train_labels[chosen], test,
                              test_labels))
    return float(np.mean(accuracies))
