import pytest
import torch
from reference import model as plain

from umurl_mmaction.models.losses import (
    covariance_term,
    inter_modal_consistency,
    intra_modal_consistency,
    variance_term,
)


@pytest.mark.parametrize('batch, dims', [(2, 8), (6, 4096), (64, 64),
                                         (200, 16)])
def test_covariance_equals_the_full_matrix(batch, dims):
    x = torch.randn(batch, dims, dtype=torch.float64, requires_grad=True)
    got, expected = covariance_term(x), plain.covariance(x)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y, x)[0]
                                 for y in (got, expected)))


@pytest.mark.parametrize('scale', [1e-3, 1, 1e3])
@pytest.mark.parametrize('batch, dims', [(64, 4096), (512, 256)])
def test_covariance_in_float32(batch, dims, scale):
    x = scale * torch.randn(batch, dims) + 3 * scale
    expected = plain.covariance(x.double())
    torch.testing.assert_close(
        covariance_term(x).double(), expected, rtol=1e-4, atol=0)


def test_regularisers_leave_half_precision():
    x = torch.randn(16, 32)
    with torch.autocast('cpu', torch.bfloat16):
        for term in (covariance_term, variance_term):
            assert term(x.bfloat16()).dtype == torch.float32
            torch.testing.assert_close(
                term(x.bfloat16()), term(x.bfloat16().float()))


def test_variance_equals_the_plain_one():
    x = torch.randn(9, 33) * torch.linspace(0, 2, 33)
    torch.testing.assert_close(variance_term(x), plain.variance(x))
    assert variance_term(torch.ones(4, 5)).item() == pytest.approx(0.99)
    assert variance_term(torch.randn(4, 5) * 100).item() == 0


@pytest.mark.parametrize('names', [('joint', 'bone', 'motion'),
                                   ('joint', 'motion'), ('joint', )])
def test_consistency_equals_the_plain_one(names):
    uni = {m: torch.randn(5, 12) for m in names}
    decomposed = {m: torch.randn(5, 12) for m in names}
    expected = plain.losses(uni, decomposed)
    torch.testing.assert_close(5 * intra_modal_consistency(uni, decomposed),
                               expected['loss_intra'])
    torch.testing.assert_close(5 * inter_modal_consistency(uni),
                               expected['loss_inter'])


def test_consistent_features_cost_nothing():
    same = {m: torch.ones(3, 4) for m in ('joint', 'bone')}
    assert intra_modal_consistency(same, same) == 0
    assert inter_modal_consistency(same) == 0
