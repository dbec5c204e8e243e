"""A network that follows its moving average, as SRCL's and HiCo's configs."""
import io

import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from reference import hico
from reference import online_target as plain
from reference.model import MODALITIES, positions
from torch.testing import assert_close

from umurl_mmaction.command_line import explain
from umurl_mmaction.models.official.names import is_pretraining_only

CONFIGS = dict(
    srcl='srcl/srcl_1xb64-3k_synthetic.py',
    hico='hico/hico_1xb64-3k_synthetic.py')
MOMENTUM = 0.1


def build(method='srcl', **model):
    cfg = Config.fromfile(REPO / 'configs' / CONFIGS[method])
    cfg.model.backbone.update(embed_dims=8, clip_len=8)
    cfg.model.neck.out_channels = 12
    for head in cfg.model.heads.values():
        head.update(channels=12, queue_size=10)
    cfg.model.momentum = MOMENTUM
    if method == 'hico':
        # Draws would differ from those of the plain method.
        cfg.model.backbone.dropout = 0.
    cfg.merge_from_dict({f'model.{key}': x for key, x in model.items()})
    return MODELS.build(cfg.model).double()


def plain_step(method, *state):
    """Losses and the queues after them, of a step's views."""
    if method == 'hico':
        return hico.hico_losses(*state, 0.2, MODALITIES)
    online, target, queues, views = state
    return plain.srcl_loss(online, target, queues['relation'], views, 0.1,
                           0.04)


def make_views(steps, batch=5):
    return [[torch.randn(batch, 2, 8, 25, 3).double() for _ in range(2)]
            for _ in range(steps)]


def train(model, batches, optimizer=None):
    optimizer = optimizer or torch.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9)
    for views in batches:
        optimizer.zero_grad()
        sum(model(views, mode='loss').values()).backward()
        optimizer.step()
    return optimizer


@pytest.mark.parametrize('method', CONFIGS)
def test_steps_equal_the_plain_method(method):
    """Losses, gradients, target and queues."""
    model = build(method)
    if method == 'srcl':
        # The two tables agree to float32, which is not enough here.
        model.backbone.positions.copy_(positions(8, 8, 'cpu'))
    online = {
        name: value.detach().clone().requires_grad_()
        for name, value in model.named_parameters() if value.requires_grad
    }
    target = dict(online)
    queues = {
        name: head.queue.features
        for name, head in model.heads.items()
    }
    optimizers = [
        torch.optim.SGD(weights, lr=0.1)
        for weights in (model.parameters(), list(online.values()))
    ]
    for step, views in enumerate(make_views(3)):
        # The first time the target becomes a copy.
        target = plain.follow(target, online, MOMENTUM if step else 1)
        expected, queues = plain_step(method, online, target, queues, views)
        losses = model(views, mode='loss')
        close = dict(rtol=1e-7, atol=1e-9)
        assert_close(losses, expected, **close)
        for optimizer, terms in zip(optimizers, (losses, expected)):
            optimizer.zero_grad()
            sum(terms.values()).backward()
        for name, queue in queues.items():
            assert_close(
                model.heads[name].queue.features, queue, **close, msg=name)
        for name, value in model.named_parameters():
            if value.requires_grad:
                assert_close(
                    value.grad, online[name].grad, **close, msg=name)
            else:
                assert value.grad is None
                assert_close(
                    value,
                    target[name[len('target.module.'):]],
                    **close,
                    msg=name)
        for optimizer in optimizers:
            optimizer.step()


@pytest.mark.parametrize('method', CONFIGS)
def test_a_checkpoint_goes_on_bit_by_bit(method):
    batches = make_views(6)
    whole = build(method)
    first = build(method)
    first.load_state_dict(whole.state_dict())
    train(whole, batches)
    optimizer = train(first, batches[:3])
    file = io.BytesIO()
    torch.save([first.state_dict(), optimizer.state_dict()], file)
    file.seek(0)
    weights, state = torch.load(file)
    second = build(method)
    second.load_state_dict(weights)
    optimizer = torch.optim.SGD(second.parameters(), lr=0.1, momentum=0.9)
    optimizer.load_state_dict(state)
    train(second, batches[3:], optimizer)
    expected = whole.state_dict()
    assert expected['target.steps'] == 6
    for name, value in second.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_the_target_is_encoded_once_without_gradients():
    model = build()
    calls = []
    for network in (model.backbone, model.target.module['backbone']):
        network.encoder['temporal'].register_forward_hook(
            lambda module, args, out: calls.append(out.requires_grad))
    model(*make_views(1), mode='loss')
    assert calls == [True, False]


def test_a_look_changes_nothing():
    """The monitors project batches beside the training."""
    model = build()
    train(model, make_views(1))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    feature, online, target = model.project(*make_views(1))
    assert feature.shape == (5, 16)
    assert list(online) == list(target) == ['instance']
    for name, value in model.state_dict().items():
        # They put back the statistics of batch norms.
        if 'running' not in name and 'num_batches' not in name:
            assert torch.equal(value, before[name]), name


@pytest.mark.parametrize('method', CONFIGS)
def test_only_the_encoder_is_published(method):
    for key in build(method).state_dict():
        assert is_pretraining_only(key) != key.startswith('backbone.')


def test_weights_of_another_method_start_the_target_anew():
    model = build()
    train(model, make_views(2))
    encoder = {
        name: value.clone()
        for name, value in build().state_dict().items()
        if name.startswith('backbone.')
    }
    model.load_state_dict(encoder, strict=False)
    model(*make_views(1), mode='loss')
    assert model.target.steps == 1
    for name, value in encoder.items():
        assert torch.equal(
            model.target.module.state_dict()[name], value), name


def test_projectors_have_the_size_of_the_pre_training():
    narrow = {'neck.out_channels': 4, 'heads.relation.channels': 4}
    with pytest.raises(
            ValueError,
            match=r'has neck\.instance\.mlp\.6\.weight of shape \(12, 16\), '
            r'this OnlineTarget wants \(4, 16\)'):
        build(**narrow).load_state_dict(build().state_dict())


def test_a_queue_has_the_size_of_the_pre_training():
    weights = build().state_dict()
    other = build(**{'heads.relation.queue_size': 20})
    with pytest.raises(ValueError, match='queue.features of shape .10, 12.*'
                       'queue_size and channels of the heads must be those'):
        other.load_state_dict(weights)


@pytest.mark.parametrize('settings, message', [
    (dict(levels=dict(hand=['hand'])),
     r"model\.levels\.hand names 'hand', but the parts of UmURLBackbone are "
     r"\['instance', 'spatial', 'temporal'\]"),
    (dict(levels=dict(mixed=['instance', 'spatial'])),
     r'model\.levels\.mixed must have the same channels, got \[8, 16\]'),
    ({'heads.relation.part': 'hand'},
     r"model\.heads\.relation asks for the part 'hand', but model\.levels "
     r"projects \['instance'\]"),
    (dict(momentum=1), 'momentum=1 must be above 0 and below 1'),
    (dict(update_interval=0), 'update_interval=0 must be at least 1'),
    ({'heads.relation.temperature': 0}, 'temperature=0 must be above 0'),
    ({'heads.relation.target_temperature': 0.2},
     r'target_temperature=0\.2 must be below temperature=0\.1'),
])
def test_misuse_ends_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**settings)
    assert '\n' not in explain(error.value)


def test_wrong_batches_are_refused():
    model = build()
    with pytest.raises(ValueError, match='1 views were given, but Online'):
        model([torch.zeros(5, 2, 8, 25, 3).double()], mode='loss')
    with pytest.raises(
            ValueError,
            match='a queue of 10 keys is not divisible by the 4 ') as error:
        model(*make_views(1, batch=4), mode='loss')
    # The tools end in this line.
    assert explain(error.value) == str(error.value)
    with pytest.raises(ValueError, match='batch of one sample'):
        model(*make_views(1, batch=1), mode='loss')


def test_each_of_two_heads_counts():
    parts = {'levels': dict(temporal=['temporal'], spatial=['spatial'])}
    head = dict(type='RelationConsistencyHead', channels=12, queue_size=10)
    temporal = dict(head, part='temporal', name='temporal')
    spatial = dict(head, part='spatial')
    heads = dict(relation=temporal, other=spatial)
    losses = build(heads=heads, **parts)(*make_views(1), mode='loss')
    assert set(losses) == {'loss_temporal', 'loss_relation'}
    heads['other'] = dict(spatial, name='temporal')
    with pytest.raises(
            ValueError,
            match=r"model\.heads\.other computes 'loss_temporal', as another"):
        build(heads=heads, **parts)(*make_views(1), mode='loss')


def test_the_target_follows_once_per_update_of_the_weights():
    """Of four batches, whose gradients two optimizer steps accumulate."""
    batches = make_views(4)
    torch.manual_seed(0)
    plain_run = build()
    torch.manual_seed(0)
    accumulated = build(update_interval=2)
    for model, interval in ((plain_run, 1), (accumulated, 2)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for i, views in enumerate(batches):
            if interval == 1 and i % 2:
                continue  # the target of the other depends on its steps only
            model(views, mode='loss')
            if (i + 1) % interval == 0:
                for weight in model.parameters():
                    if weight.requires_grad:
                        weight.grad = torch.ones_like(weight)
                optimizer.step()
    for name, value in accumulated.target.module.named_parameters():
        assert_close(value, plain_run.target.module.get_parameter(name))
