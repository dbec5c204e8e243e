import pytest
import torch
from mmaction.registry import MODELS
from reference import skeletal_twins as plain

from umurl_mmaction.models.losses.barlow_twins import barlow_twins
from umurl_mmaction.models.losses.consistency import instance_consistency

SIZES = [(2, 8), (6, 40), (40, 7), (16, 16)]


def make_twins(batch, dims, noise=0.5, dtype=torch.float64):
    first = torch.randn(batch, dims, dtype=dtype)
    second = first + noise * torch.randn(batch, dims, dtype=dtype)
    # Neither scale nor offset of a dimension is to matter.
    second = second * torch.linspace(0.5, 3, dims, dtype=dtype) + 2
    return first.requires_grad_(), second.requires_grad_()


def assert_same(got, expected, leaves, **close):
    """Values and gradients of sums with different weights are equal."""
    for ours, theirs in zip(got, expected):
        torch.testing.assert_close(ours, theirs, **close)
    torch.testing.assert_close(*(torch.autograd.grad(
        2 * on + 3 * off, leaves) for on, off in (got, expected)), **close)


@pytest.mark.parametrize('batch, dims', SIZES)
def test_terms_equal_the_full_matrix(batch, dims):
    twins = make_twins(batch, dims)
    assert_same(barlow_twins(*twins), plain.barlow_twins(*twins), twins)


@pytest.mark.parametrize('batch, dims', SIZES)
def test_shards_of_the_redundancy_add_up(batch, dims):
    twins = make_twins(batch, dims)
    shards = [barlow_twins(*twins, (i, 3)) for i in range(3)]
    redundancy = sum(shard[1] for shard in shards)
    expected = plain.barlow_twins(*twins)
    assert_same((shards[0][0], redundancy), expected, twins)
    for invariance, _ in shards:
        torch.testing.assert_close(invariance, expected[0])


@pytest.mark.parametrize('batch, dims', [(64, 2048), (590, 600), (4096, 64)])
@pytest.mark.parametrize('noise', [0.01, 1])
def test_terms_in_float32(batch, dims, noise):
    """Also for twins that agree, whose matrix has a large diagonal."""
    first, second = make_twins(batch, dims, noise, torch.float32)
    expected = plain.barlow_twins(first.double(), second.double())
    torch.testing.assert_close(
        barlow_twins(first, second)[1].double(),
        expected[1],
        rtol=1e-4,
        atol=0)


def test_known_values():
    # Orthogonal, standardised dimensions of the Hadamard matrix.
    columns = torch.tensor([[1., 1], [1, -1], [-1, 1], [-1, -1]])
    assert barlow_twins(columns, columns) == (
        pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    # The same dimension twice: one pair each way is redundant.
    same = columns[:, [0, 0]]
    assert barlow_twins(same, same)[1].item() == pytest.approx(2, rel=1e-4)
    # Twins that disagree in everything.
    invariance, _ = barlow_twins(columns, -columns)
    assert invariance.item() == pytest.approx(2 * 2**2, rel=1e-4)
    uni, opposite = dict(twin=columns), dict(twin=5 - 3 * columns)
    assert instance_consistency(uni, uni).item() == pytest.approx(0, abs=1e-6)
    assert instance_consistency(uni, opposite).item() == pytest.approx(2)


def test_features_that_are_the_same_for_all_samples_are_finite():
    same = torch.ones(8, 16, requires_grad=True)
    invariance, redundancy = barlow_twins(same, same)
    assert (invariance, redundancy) == (16, 0)
    instance = instance_consistency(dict(twin=same), dict(twin=same))
    assert instance == 1
    grad, = torch.autograd.grad(invariance + redundancy + instance, same)
    assert grad.isfinite().all()


def test_instances_equal_the_loop_over_samples():
    names = ('joint', 'bone')
    uni, decomposed = zip(*(make_twins(6, 20) for _ in names))
    leaves = [*uni, *decomposed]
    got = instance_consistency(
        dict(zip(names, uni)), dict(zip(names, decomposed)))
    expected = sum(map(plain.instance_consistency, uni, decomposed))
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, leaves)
                                 for value in (got, expected)))


def test_half_precision_is_widened():
    first, second = (x.detach().bfloat16() for x in make_twins(6, 20))
    wide = first.float(), second.float()
    with torch.autocast('cpu', torch.bfloat16):
        got = [*barlow_twins(first, second),
               instance_consistency(dict(twin=first), dict(twin=second))]
    expected = [*plain.barlow_twins(*wide), plain.instance_consistency(*wide)]
    for value, wanted in zip(got, expected):
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, wanted)


def test_the_head_sums_over_the_branches():
    head = MODELS.build(
        dict(type='BarlowTwinsHead', redundancy_weight=0.3, loss_weight=2.))
    names = ('joint', 'bone', 'motion')
    uni, decomposed = zip(*(make_twins(6, 20) for _ in names))
    pairs = map(plain.barlow_twins, uni, decomposed)
    invariance, redundancy = map(sum, zip(*pairs))
    losses = head(dict(zip(names, uni)), dict(zip(names, decomposed)))
    torch.testing.assert_close(
        losses,
        dict(
            loss_invariance=2 * invariance,
            loss_redundancy=2 * 0.3 * redundancy))


def test_a_negative_weight_is_refused():
    with pytest.raises(
            ValueError, match='^redundancy_weight=-1 must be 0 or more$'):
        MODELS.build(dict(type='BarlowTwinsHead', redundancy_weight=-1))
