import math

import pytest
import torch

from umurl_mmaction.evaluation.collapse import (
    agreement,
    dead_share,
    effective_rank,
    mean_std,
)
from umurl_mmaction.evaluation.nearest_neighbor_metric import (
    NearestNeighborMetric,
)


def test_rank_is_the_entropy_of_the_singular_values():
    x = torch.randn(30, 8)
    singular = torch.linalg.svdvals((x - x.mean(0)).double())
    share = singular / singular.sum()
    expected = (-(share * share.log()).sum()).exp()
    for feature in (x, torch.cat([x, torch.zeros(30, 90)], dim=1)):
        assert effective_rank(feature).item() == pytest.approx(
            expected.item(), rel=1e-5)


@pytest.mark.parametrize('rank', [1, 3, 8])
@pytest.mark.parametrize('dims', [8, 200])
def test_rank_of_equally_strong_directions(rank, dims):
    basis, _ = torch.linalg.qr(torch.randn(64, rank + 1).double())
    directions, _ = torch.linalg.qr(torch.randn(dims, rank).double())
    centered = basis - basis.mean(0)
    q, _ = torch.linalg.qr(centered[:, :rank])
    feature = 5 + q @ directions.T
    assert effective_rank(feature).item() == pytest.approx(rank, rel=1e-3)


def test_a_collapsed_feature():
    same = torch.full((16, 32), 0.3)
    assert effective_rank(same) == 1
    assert mean_std(same) == 0 and dead_share(same) == 1
    half = torch.cat([same, torch.randn(16, 32)], dim=1)
    assert dead_share(half) == 0.5


def test_spread_and_agreement():
    x = torch.randn(4000, 20) * 3
    assert mean_std(x).item() == pytest.approx(3, rel=0.02)
    assert agreement(x, 2 * x).item() == pytest.approx(1)
    assert agreement(x, -x).item() == pytest.approx(-1)
    turned = torch.stack([-x[:, 1], x[:, 0]], dim=1)
    assert math.isclose(agreement(x[:, :2], turned), 0, abs_tol=1e-6)


def test_the_spread_is_the_deviation_in_the_mean_of_all_dimensions():
    x = torch.tensor([[0., 100], [2, 100]])
    assert mean_std(x).item() == pytest.approx(2**.5 / 2)


def test_metric_counts_each_kind_of_feature():
    metric = NearestNeighborMetric()
    found = [dict(fused=1, bone=1), dict(fused=2, bone=0),
             dict(fused=0, bone=2)]
    metric.process(None, [
        dict(gt_label=torch.tensor([label]), retrieved=retrieved)
        for label, retrieved in zip((1, 2, 2), found)
    ])
    scores = metric.evaluate(3)
    assert list(scores) == ['retrieval/fused_top1', 'retrieval/bone_top1']
    assert list(scores.values()) == pytest.approx([2 / 3, 2 / 3])
