"""Mixing of clips, with targets that are mixed alike."""
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MessageHub
from reference import mixing as plain
from reference.model import positions
from torch.testing import assert_close

from umurl_mmaction.command_line import explain
from umurl_mmaction.models.utils import step_generator as steps
from umurl_mmaction.skeleton.clip_generator import ClipGenerator
from umurl_mmaction.skeleton.layout import LAYOUTS
from umurl_mmaction.skeleton.mixing import mix_with_partner

LAYOUT = LAYOUTS['nturgb+d']
SHAPE = (2, 8, 25, 3)


def build(**mixing):
    model = MODELS.build(
        dict(
            type='UmURL',
            backbone=dict(type='UmURLBackbone', embed_dims=8, clip_len=8),
            neck=dict(type='ModalityProjector', out_channels=12),
            heads=dict(
                intra=dict(type='IntraModalConsistencyHead'),
                inter=dict(type='InterModalConsistencyHead'),
                regularizer=dict(type='VarianceCovarianceHead')),
            mixing=dict(type='ClipMixing', **mixing))).double()
    # The two tables agree to float32, which is not enough here.
    model.backbone.positions.copy_(positions(8, 8, 'cpu'))
    return model


def make_views(batch=6):
    return [torch.randn(batch, *SHAPE).double() for _ in range(4)]


def draw(num=4000, **settings):
    mixing = MODELS.build(dict(type='ClipMixing', **settings))
    return mixing(num, SHAPE, LAYOUT,
                  ClipGenerator(5, torch.arange(num)))


def test_losses_and_gradients_equal_the_loop_over_clips(monkeypatch):
    model, views = build(), make_views(12)
    share = draw(12).double()
    means = share.mean(dim=(1, 2))
    # As they are, mixed as wholes, and with a part of the partner.
    assert (means == 0).any() and (share[means > 0].amin((1, 2)) > 0).any()
    assert (share == 1).any()
    monkeypatch.setattr(model.mixing, 'forward', lambda *args: share)
    weights = {
        name: value.detach().clone().requires_grad_()
        for name, value in model.named_parameters()
    }
    expected = plain.mixed_losses(weights, views, share)
    losses = model(views, mode='loss')
    close = dict(rtol=1e-7, atol=1e-9)
    assert_close(losses, expected, **close)
    sum(losses.values()).backward()
    sum(expected.values()).backward()
    for name, value in model.named_parameters():
        assert_close(value.grad, weights[name].grad, **close, msg=name)


def test_without_mixed_clips_it_is_umurl():
    model, views = build(prob=0), make_views()
    losses = model(views, mode='loss')
    model.mixing = None
    assert_close(losses, model(views, mode='loss'), rtol=0, atol=0)


def test_a_look_at_the_features_does_not_mix():
    """The monitors ask how well a clip's own views agree."""
    model, views = build(prob=1), make_views()
    got = model.project(views)
    model.mixing = None
    assert_close(got, model.project(views), rtol=0, atol=0)


def test_how_often_and_how_much():
    share = draw(prob=0.6, swap=0.25, ratio=(0.1, 0.3), frames=(0.5, 0.5))
    low, high = share.amin((1, 2)), share.amax((1, 2))
    swapped, whole = high == 1, (high > 0) & (high < 1)
    assert abs(float((high > 0).float().mean()) - 0.6) < 0.03
    assert abs(float(swapped.sum() / (high > 0).sum()) - 0.25) < 0.03
    assert torch.equal(low[whole], high[whole])
    assert 0.1 <= low[whole].min() < 0.11 and 0.29 < high[whole].max() <= 0.3
    part = share[swapped].bool()
    # A part of the body, all of it in the same half of the frames.
    assert (part.any(dim=2).sum(dim=1) == 4).all()
    assert torch.equal(part, part.any(1, True) & part.any(2, True))
    assert part.any(dim=1).sum(dim=1).max() <= 12


def test_a_share_of_one_is_the_partner():
    x = torch.randn(5, 3)
    assert torch.equal(
        mix_with_partner(x, torch.ones(5, 1)), x[[3, 4, 0, 1, 2]])
    assert torch.equal(mix_with_partner(x, torch.zeros(5, 1)), x)
    assert torch.equal(
        mix_with_partner(x[:1], torch.full((1, 1), 0.5)), x[:1])


@pytest.mark.parametrize('world_size', [2, 4])
def test_ranks_mix_as_one_process_does(monkeypatch, world_size):
    """The samplers deal clips in turn: each rank has an even number."""
    hub = MessageHub.get_current_instance()
    infos = dict(loop_stage='train', seed=3, epoch=1, iter=7)
    monkeypatch.setattr(hub, 'get_info', infos.get)
    model, views = build(), make_views(16)
    seen = []
    monkeypatch.setattr(
        model, '_encode', lambda views: seen.append(list(views)) or
        [view.flatten(1)[:, :16] for view in views])
    whole = model._encode_mixed(views), seen.pop()
    model._encode_mixed(views)
    assert_close(seen.pop(), whole[1], rtol=0, atol=0)
    assert not torch.equal(whole[1][0], views[0])
    for rank in range(world_size):
        monkeypatch.setattr(steps.dist, 'get_rank', lambda rank=rank: rank)
        monkeypatch.setattr(steps.dist, 'get_world_size', lambda: world_size)
        part = model._encode_mixed([view[rank::world_size] for view in views])
        for got, expected in zip((part, seen.pop()), whole):
            assert_close(got, [x[rank::world_size] for x in expected],
                         rtol=0, atol=0)


def test_another_step_has_other_numbers(monkeypatch):
    hub = MessageHub.get_current_instance()
    infos = dict(loop_stage='train', seed=3, epoch=1)
    monkeypatch.setattr(hub, 'get_info', infos.get)
    mixing = MODELS.build(dict(type='ClipMixing'))
    first, again, other = (
        mixing(16, SHAPE, LAYOUT, steps.step_generator(
            16, torch.device('cpu'))) for infos['iter'] in (7, 7, 8))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize('settings, message', [
    (dict(prob=1.5), r'mixing\.prob=1\.5 must be within 0\.\.1'),
    (dict(swap=-1), r'mixing\.swap=-1 must be within 0\.\.1'),
    (dict(ratio=(0.5, 0.1)), r'mixing\.ratio=\(0\.5, 0\.1\) must be an incr'),
    (dict(frames=(0, 2)), r'mixing\.frames=\(0, 2\) must be an increasing'),
])
def test_misuse_ends_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**settings)
    assert '\n' not in explain(error.value)


def test_the_mixing_has_random_numbers_of_its_own(monkeypatch):
    """Else what is mixed would follow from how a view was cropped."""
    hub = MessageHub.get_current_instance()
    infos = dict(loop_stage='train', seed=3, epoch=1, iter=7)
    monkeypatch.setattr(hub, 'get_info', infos.get)
    model, seen = build(), []
    monkeypatch.setattr(
        model.mixing, 'forward', lambda num, shape, layout, own: seen.append(
            own.rand(9)) or torch.zeros(num, 8, 25))
    model(make_views(), mode='loss')
    views = steps.step_generator(6, torch.device('cpu')).of_views(
        range(model.num_views))
    assert not torch.isin(seen[0], views.rand(9)).any()
