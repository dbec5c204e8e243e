"""Accuracies of features equal those of plain computations."""
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from umurl_mmaction.datasets.subset import draw_per_class
from umurl_mmaction.evaluation.probes import (
    few_label_accuracy,
    leave_one_out_accuracy,
    logistic_accuracy,
    nearest_neighbor_accuracy,
)


@pytest.fixture
def features():
    """Three classes, in dimensions of very different scale."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    x = rng.normal(size=(60, 8)) + rng.normal(size=(3, 8))[labels]
    x = (x * np.logspace(-3, 3, 8) + 5).astype(np.float32)
    x[:, 3] = 1.5  # a dimension that tells nothing
    return x[:40], labels[:40], x[40:], labels[40:]


def nearest(train, train_labels, test, test_labels):
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True)
            for x in (train, test)]
    return np.mean(
        train_labels[(unit[1] @ unit[0].T).argmax(axis=1)] == test_labels)


def standardized(train, test):
    mean, std = train.mean(axis=0), train.std(axis=0)
    scale = np.where(std > 0, 1 / np.where(std > 0, std, 1), 0)
    return (train - mean) * scale, (test - mean) * scale


def test_nearest_neighbour_equals_brute_force(features):
    train, train_labels, test, test_labels = features
    assert nearest_neighbor_accuracy(*features) == pytest.approx(
        nearest(*features))
    a, b = standardized(train, test)
    expected = nearest(a, train_labels, b, test_labels)
    assert nearest_neighbor_accuracy(
        *features, standardize=True) == pytest.approx(expected)
    assert expected > nearest(*features)


def test_leaving_one_out_equals_brute_force(features):
    x, labels = features[:2]
    expected = np.mean([
        nearest(np.delete(x, i, 0), np.delete(labels, i), x[i:i + 1],
                labels[i:i + 1]) for i in range(len(x))
    ])
    assert leave_one_out_accuracy(x, labels) == pytest.approx(expected)
    # A sample is not its own neighbour, even if others equal it.
    same = np.ones((3, 2), np.float32)
    assert leave_one_out_accuracy(same, np.array([0, 1, 2])) == 0
    assert leave_one_out_accuracy(same, np.array([1, 1, 1])) == 1


def test_logistic_regression_does_not_depend_on_the_scale(features):
    train, train_labels, test, test_labels = features
    a, b = standardized(train, test)
    expected = LogisticRegression(max_iter=2000).fit(a, train_labels).score(
        b, test_labels)
    assert logistic_accuracy(*features) == pytest.approx(expected)
    assert logistic_accuracy(1e3 * train, train_labels, 1e3 * test,
                             test_labels) == pytest.approx(expected)


def test_few_labels_are_the_mean_over_draws(features):
    train, train_labels, test, test_labels = features

    def two(labels, seed):
        return draw_per_class(labels, 2, seed)

    each = []
    for seed in range(3):
        chosen = two(train_labels.tolist(), seed=seed)
        assert np.bincount(train_labels[chosen]).tolist() == [2, 2, 2]
        each.append(
            logistic_accuracy(train[chosen], train_labels[chosen], test,
                              test_labels))
    assert few_label_accuracy(
        *features, draw=two, draws=3) == pytest.approx(np.mean(each))
    assert few_label_accuracy(
        *features, draw=lambda labels, seed: list(range(len(labels))),
        draws=1) == pytest.approx(logistic_accuracy(*features))
