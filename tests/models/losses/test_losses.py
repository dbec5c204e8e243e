import pytest
import torch
from conftest import REPO
from reference import model as plain
from tools_loading import load_script

from umurl_mmaction.models.losses.consistency import (
    inter_modal_consistency,
    intra_modal_consistency,
)
from umurl_mmaction.models.losses.variance_covariance import (
    variance_covariance,
)


def variance_term(x):
    return variance_covariance(x)[0]


def covariance_term(x, shard=(0, 1)):
    return variance_covariance(x, shard)[1]


@pytest.mark.parametrize('batch, dims', [(2, 8), (6, 4096), (64, 64),
                                         (200, 16)])
def test_covariance_equals_the_full_matrix(batch, dims):
    x = torch.randn(batch, dims, dtype=torch.float64, requires_grad=True)
    got, expected = covariance_term(x), plain.covariance(x)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y, x)[0]
                                 for y in (got, expected)))


@pytest.mark.parametrize('std, mean', [(1, 0), (1e3, 3e3), (1e-3, 3e-3),
                                       (1e-4, 1), (1e-6, 1e-2)])
@pytest.mark.parametrize('batch, dims', [(64, 2048), (512, 256), (4096, 64),
                                         (590, 600)])
def test_covariance_in_float32(batch, dims, std, mean):
    """This holds for large batches and nearly collapsed features, too."""
    x = std * torch.randn(batch, dims) + mean
    expected = plain.covariance(x.double())
    torch.testing.assert_close(
        covariance_term(x).double(), expected, rtol=1e-4, atol=0)


def test_covariance_of_nearly_white_features():
    """The covariances are tiny beside the variances, which are left out."""
    white, _ = torch.linalg.qr(torch.randn(2000, 50))
    x = white * 2000**0.5 + 1e-3 * torch.randn(2000, 50)
    expected = plain.covariance(x.double())
    torch.testing.assert_close(
        covariance_term(x).double(), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize('batch, dims', [(6, 40), (40, 7), (2, 1)])
def test_parts_of_the_covariance_add_up(batch, dims):
    x = torch.randn(batch, dims, dtype=torch.float64, requires_grad=True)
    parts = sum(covariance_term(x, (i, 4)) for i in range(4))
    expected = plain.covariance(x)
    torch.testing.assert_close(parts, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y, x)[0]
                                 for y in (parts, expected)))


def test_the_regulariser_needs_little_memory():
    timing = load_script(REPO / 'benchmarks/parts/timing.py')
    features = [torch.randn(128, 1024, requires_grad=True) for _ in range(6)]

    def peak(regularize):
        def run():
            torch.autograd.grad(sum(map(regularize, features)), features)

        run()
        return timing.peak_bytes(run, 'cpu')

    def regularize_plainly(x):
        return plain.variance(x) + plain.covariance(x)

    def regularize(x):
        return sum(variance_covariance(x))

    assert peak(regularize_plainly) > 10 * peak(regularize)


def test_consistency_leaves_half_precision():
    half = {m: torch.randn(64, 32).bfloat16() for m in ('joint', 'bone')}
    other = {m: torch.randn(64, 32).bfloat16() for m in half}
    exact = [{m: x.double() for m, x in part.items()}
             for part in (half, other)]
    with torch.autocast('cpu', torch.bfloat16):
        got = (intra_modal_consistency(half, other),
               inter_modal_consistency(half))
    expected = (intra_modal_consistency(*exact),
                inter_modal_consistency(exact[0]))
    for value, wanted in zip(got, expected):
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=0)


def test_regularisers_leave_half_precision():
    x = torch.randn(16, 32)
    with torch.autocast('cpu', torch.bfloat16):
        for term in (covariance_term, variance_term):
            assert term(x.bfloat16()).dtype == torch.float32
            torch.testing.assert_close(
                term(x.bfloat16()), term(x.bfloat16().float()))


@pytest.mark.parametrize('batch, dims', [(6, 40), (40, 7)])
@pytest.mark.parametrize('shard', [(0, 1), (1, 3)])
def test_gradients_of_the_regulariser(batch, dims, shard):
    x = torch.randn(batch, dims, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: variance_covariance(x, shard), x)


def test_gradient_of_half_precision_and_of_one_term():
    x = torch.randn(8, 32).bfloat16().requires_grad_()
    wide = x.detach().float().requires_grad_()
    for term, expected in ((variance_term, plain.variance),
                           (covariance_term, plain.covariance)):
        got, = torch.autograd.grad(term(x), x)
        wanted, = torch.autograd.grad(expected(wide), wide)
        assert got.dtype == torch.bfloat16
        torch.testing.assert_close(got, wanted.bfloat16())


def test_the_regulariser_compiles_without_a_break():
    compiled = torch.compile(
        variance_covariance, backend='aot_eager', fullgraph=True)
    x = torch.randn(8, 32, requires_grad=True)
    for got, expected in zip(compiled(x), variance_covariance(x)):
        torch.testing.assert_close(got, expected)
    got, = torch.autograd.grad(sum(compiled(x)), x)
    expected, = torch.autograd.grad(sum(variance_covariance(x)), x)
    torch.testing.assert_close(got, expected)


def test_variance_equals_the_plain_one():
    x = torch.randn(9, 33) * torch.linspace(0, 2, 33)
    x.requires_grad_()
    got, expected = variance_term(x), plain.variance(x)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y, x)[0]
                                 for y in (got, expected)))
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
