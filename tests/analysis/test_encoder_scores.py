"""The columns of the results, on two small sets."""
import pytest
from mmaction.registry import MODELS
from tiny_models import KNN, tiny_config

from umurl_mmaction.analysis import encoder_scores
from umurl_mmaction.analysis.encoder_scores import EncoderScores, make_row
from umurl_mmaction.datasets.subset import (
    class_balanced_subset,
    draw_per_class,
)


@pytest.fixture
def cfg(ann_file):
    cfg = tiny_config(ann_file, KNN)
    cfg.model.backbone = dict(type='RawJoints')
    return cfg


def test_each_column_is_what_its_name_says(cfg, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        encoder_scores, 'nearest_neighbor_accuracy',
        lambda *arrays, standardize=False: standardize)
    monkeypatch.setattr(
        encoder_scores, 'few_label_accuracy',
        lambda train, labels, *test, draw, draws: drawn.append(
            [draw(labels.tolist(), seed=seed) for seed in range(draws)]))
    score = EncoderScores(cfg, [2], 3, fractions=[0.5])
    found = score(MODELS.build(cfg.model), ['fused'])['fused']
    assert (found['1-NN'], found['1-NN standardised']) == (False, True)
    assert list(found)[3:] == [
        'logistic, 2 a class', 'logistic, 50 % of the labels'
    ]
    labels = [i % 3 for i in range(12)]
    assert drawn == [
        [draw_per_class(labels, 2, seed) for seed in range(3)],
        [class_balanced_subset(labels, 0.5, seed) for seed in range(3)]
    ]
    assert drawn[0][0] != drawn[0][1] and drawn[1][0] != drawn[1][1]


def test_a_group_counts_by_its_clips(cfg, monkeypatch):
    score = EncoderScores(cfg, [], 1, group=r'(\d)$')
    monkeypatch.setattr(
        score, '_score', lambda train, labels, test, truth: dict(
            size=float(len(test))))
    found = score(MODELS.build(cfg.model), ['fused'])['fused']
    # Two groups of two clips, and eight of one.
    assert found['size'] == pytest.approx((2 * 2 * 2 + 8) / 12)


def test_the_deviation_is_that_of_the_runs_themselves():
    row = make_row('x', 'fused', [dict(a=0.), dict(a=1.)])
    assert (row['runs'], row['mean'], row['deviation']) == (
        2, dict(a=0.5), dict(a=0.5))
