import math

import pytest
import torch
from mmaction.registry import MODELS

from umurl_mmaction.models.losses.contrastive import info_nce


def plain_info_nce(first, second, temperature):
    """Sample by sample, as the papers write it."""
    total = 0
    for a, b in ((first, second), (second, first)):
        for i in range(len(a)):
            cosines = [
                torch.dot(a[i], y) / a[i].norm() / y.norm() for y in b
            ]
            odds = [torch.exp(c / temperature) for c in cosines]
            total = total - torch.log(odds[i] / sum(odds))
    return total / 2 / len(first)


def test_equals_the_plain_loop_with_its_gradient():
    x, y = torch.randn(2, 7, 5, dtype=torch.float64, requires_grad=True)
    got, expected = info_nce(x, y, 0.3), plain_info_nce(x, y, 0.3)
    torch.testing.assert_close(got, expected)
    for leaf in (x, y):
        torch.testing.assert_close(*(
            torch.autograd.grad(value, leaf, retain_graph=True)[0]
            for value in (got, expected)))


def test_known_values():
    identity = torch.eye(4)
    # Cosine 1 with the pair and 0 with the three others.
    loss = info_nce(identity, 3 * identity, 0.5)
    assert loss.item() == pytest.approx(
        -math.log(math.exp(2) / (math.exp(2) + 3)))
    same = torch.ones(8, 4)
    assert info_nce(same, same, 0.1).item() == pytest.approx(math.log(8))


def test_half_precision_is_widened():
    x, y = torch.randn(2, 16, 8)
    with torch.autocast('cpu', torch.bfloat16):
        loss = info_nce(x.bfloat16(), y.bfloat16(), 0.1)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(
        loss, info_nce(x.bfloat16().float(), y.bfloat16().float(), 0.1))


def test_the_head_sums_over_the_modalities():
    head = MODELS.build(
        dict(type='ContrastiveHead', temperature=0.4, loss_weight=2.))
    names = ('joint', 'bone', 'motion')
    uni = {name: torch.randn(6, 5) for name in names}
    fused = {name: torch.randn(6, 5) for name in names}
    expected = 2 * sum(info_nce(uni[m], fused[m], 0.4) for m in names)
    losses = head(uni, fused)
    assert list(losses) == ['loss_contrast']
    torch.testing.assert_close(losses['loss_contrast'], expected)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match='temperature=0 must be above 0'):
        MODELS.build(dict(type='ContrastiveHead', temperature=0))
