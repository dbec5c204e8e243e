"""The terms against a queue, and the queue."""
import pytest
import torch
from reference import nearest_neighbor
from reference import online_target as plain

from umurl_mmaction.models.layers.feature_queue import FeatureQueue
from umurl_mmaction.models.losses.contrastive import (
    neighbor_nce,
    queue_nce,
)
from umurl_mmaction.models.losses.relation import relation_consistency


def features(*shape):
    # Their length is not to matter.
    return (3 * torch.randn(*shape, dtype=torch.float64)).requires_grad_()


def assert_same(got, expected, leaves):
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(*(torch.autograd.grad(
        value, leaves) for value in (got, expected)))


@pytest.mark.parametrize('num_keys', [1, 4])
def test_contrast_equals_the_loop_over_clips(num_keys):
    query, *keys = (features(5, 6) for _ in range(1 + num_keys))
    queue = plain.unit(features(7, 6)).detach()
    assert_same(
        queue_nce(query, keys, queue, 0.2),
        plain.nce(query, keys, queue, 0.2), [query, *keys])


def test_one_key_is_the_cross_entropy_of_moco():
    query, key = features(5, 6), features(5, 6)
    queue = plain.unit(features(7, 6)).detach()
    rows = [torch.cat([plain.unit(key)[i:i + 1], queue]) for i in range(5)]
    scores = torch.stack([
        row @ q / 0.2 for q, row in zip(plain.unit(query), rows)])
    torch.testing.assert_close(
        queue_nce(query, [key], queue, 0.2),
        torch.nn.functional.cross_entropy(scores, torch.zeros(5).long()))


def test_neighbours_equal_the_loop_over_clips():
    prediction, neighbor = features(5, 6), features(5, 6)
    assert_same(
        neighbor_nce(prediction, neighbor, 0.07),
        nearest_neighbor.nce(prediction, neighbor, 0.07),
        [prediction, neighbor])


def test_relation_equals_the_loop_over_clips():
    online, target = features(5, 6), features(5, 6)
    queue = plain.unit(features(7, 6)).detach()
    assert_same(
        relation_consistency(online, target, queue, 0.1, 0.04),
        plain.relation(online, target, queue, 0.1, 0.04), [online, target])


def test_the_least_relation_is_the_entropy_of_the_target():
    target, queue = features(5, 6), plain.unit(features(7, 6)).detach()
    p = (plain.unit(target) @ queue.T / 0.1).softmax(dim=1)
    least = -(p * p.log()).sum(dim=1).mean()
    same = relation_consistency(target, target, queue, 0.1, 0.1)
    torch.testing.assert_close(same, least)
    assert relation_consistency(features(5, 6), target, queue, 0.1,
                                0.1) > least


def test_half_precision_is_widened():
    query, key = (features(5, 6).detach().bfloat16() for _ in range(2))
    queue = plain.unit(features(7, 6)).detach().float()
    with torch.autocast('cpu', torch.bfloat16):
        got = [
            queue_nce(query, [key], queue, 0.2),
            relation_consistency(query, key, queue, 0.1, 0.04),
            neighbor_nce(query, key, 0.07)
        ]
    wide = query.float(), key.float()
    expected = [
        plain.nce(wide[0], [wide[1]], queue, 0.2),
        plain.relation(*wide, queue, 0.1, 0.04),
        nearest_neighbor.nce(*wide, 0.07)
    ]
    assert {value.dtype for value in got} == {torch.float32}
    torch.testing.assert_close(got, expected)


def test_the_queue_holds_the_latest_keys():
    queue = FeatureQueue(6, 3)
    first = queue.features
    torch.testing.assert_close(first.norm(dim=1), torch.ones(6))
    batches = torch.eye(3).roll(1, 0), -torch.eye(3), torch.eye(3)
    for keys in batches:
        queue.push(keys)
    assert torch.equal(queue.features, torch.cat([batches[2], batches[1]]))
    # Scores against the former rows still have their gradient.
    assert not torch.equal(first, queue.features)
    assert list(queue.state_dict()) == ['features']


def test_rows_that_are_not_renewed_stay_random():
    """HiCo's code: the pointer wraps before the end of the queue."""
    queue = FeatureQueue(8, 3, renewed=4)
    stale = queue.features[4:]
    for _ in range(10):
        keys = plain.unit(torch.randn(2, 3))
        queue.push(keys)
        assert torch.equal(queue.features[:2], keys)
    assert torch.equal(queue.features[4:], stale)


@pytest.mark.parametrize('keys, message', [
    ((4, 3), 'a queue of 6 keys is not divisible by the 4 keys of a batch'),
    ((12, 3), 'not divisible by the 12 keys'),
    ((3, 5), 'the keys have 5 channels, the queue has 3'),
])
def test_keys_that_do_not_fit_are_refused(keys, message):
    with pytest.raises(ValueError, match=message) as error:
        FeatureQueue(6, 3).push(torch.ones(keys))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('settings, message', [
    ((0, 3), 'queue_size=0 and channels=3 must be at least 1'),
    ((4, 3, 5), 'renewed=5 must be at least 1 and at most the size'),
])
def test_a_queue_has_a_size(settings, message):
    with pytest.raises(ValueError, match=message):
        FeatureQueue(*settings)
