"""The tuning by nearest neighbours, as its configs have it."""
import io

import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from reference import nearest_neighbor as plain
from reference.model import positions
from torch.testing import assert_close

from umurl_mmaction.command_line import explain
from umurl_mmaction.models.official.names import is_pretraining_only

PRETRAIN = REPO / 'configs' / 'umurl' / 'pretrain'


def config(**model):
    cfg = Config.fromfile(
        PRETRAIN / 'umurl-plus-nn-tuning_1xb64-300_synthetic.py')
    cfg.model.backbone.update(embed_dims=8, clip_len=8)
    cfg.model.heads.neighbor.update(
        channels=16, queue_size=10, hidden_channels=12)
    cfg.merge_from_dict({f'model.{key}': x for key, x in model.items()})
    return cfg


def build(**model):
    return MODELS.build(config(**model).model).double()


def make_views(count=2, batch=5):
    return [torch.randn(batch, 2, 8, 25, 3).double() for _ in range(count)]


def test_steps_equal_the_plain_method():
    """Loss, gradients and queue; the views differ, so both ways count."""
    model = build()
    # The two tables agree to float32, which is not enough here.
    model.backbone.positions.copy_(positions(8, 8, 'cpu'))
    weights = {
        name: value.detach().clone().requires_grad_()
        for name, value in model.named_parameters()
    }
    head = model.heads['neighbor']
    queue = head.queue.features
    optimizers = [
        torch.optim.SGD(values, lr=0.1)
        for values in (model.parameters(), list(weights.values()))
    ]
    close = dict(rtol=1e-7, atol=1e-9)
    # In the third step all neighbours are clips, not random rows.
    for _ in range(3):
        views = make_views()
        expected, queue = plain.tuning_loss(weights, views, queue, 0.07)
        losses = model(views, mode='loss')
        assert_close(losses, dict(loss_neighbor=expected), **close)
        for optimizer, loss in zip(optimizers,
                                   (losses['loss_neighbor'], expected)):
            optimizer.zero_grad()
            loss.backward()
        assert_close(head.queue.features, queue, **close)
        for name, value in model.named_parameters():
            assert_close(value.grad, weights[name].grad, **close, msg=name)
        for optimizer in optimizers:
            optimizer.step()


def test_each_modality_may_predict_the_neighbours_of_the_fused_feature():
    model = build(branches=None, share_neck=True)
    head, views = model.heads['neighbor'], make_views(4)
    queue = head.queue.features
    losses = model(views, mode='loss')
    fused, uni, decomposed = model.project(views)
    terms = []
    for name, z in uni.items():
        u = decomposed[name]
        terms += [plain.nce(head.predictor(z), plain.nearest(u, queue), 0.07),
                  plain.nce(head.predictor(u), plain.nearest(z, queue), 0.07)]
    assert len(terms) == 6
    assert_close(losses, dict(loss_neighbor=sum(terms) / 6))


def test_a_checkpoint_goes_on_bit_by_bit():
    batches = [make_views() for _ in range(4)]
    whole, first, second = build(), build(), build()
    first.load_state_dict(whole.state_dict())

    def train(model, batches, state=None):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        if state:
            optimizer.load_state_dict(state)
        for views in batches:
            optimizer.zero_grad()
            model(views, mode='loss')['loss_neighbor'].backward()
            optimizer.step()
        return optimizer

    train(whole, batches)
    file = io.BytesIO()
    torch.save([train(first, batches[:2]).state_dict(), first.state_dict()],
               file)
    file.seek(0)
    state, weights = torch.load(file)
    second.load_state_dict(weights)
    train(second, batches[2:], state)
    expected = whole.state_dict()
    assert 'heads.neighbor.queue.features' in expected
    for name, value in second.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_it_takes_the_encoder_of_umurl_plus():
    cfg = Config.fromfile(PRETRAIN / 'umurl-plus_1xb64-3k_synthetic.py')
    cfg.model.backbone.update(embed_dims=8, clip_len=8)
    cfg.model.neck.out_channels = 6
    weights = MODELS.build(cfg.model).state_dict()
    model = build()
    model.load_state_dict(weights, strict=False)
    for name, value in model.state_dict().items():
        assert is_pretraining_only(name) != name.startswith('backbone.')
        if name.startswith('backbone.'):
            assert torch.equal(value, weights[name].double()), name


def test_the_learning_rate_falls_from_layer_to_layer():
    cfg = config()
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    rates = {
        id(group['params'][0]): group['lr'] for group in optimizer.param_groups
    }
    for name, value in model.named_parameters():
        part = name.split('.')[1] if name.startswith('backbone') else 'head'
        assert rates[id(value)] == pytest.approx(1e-3 * dict(
            head=1, encoder=0.45, fusion=0.2, embeddings=0.09)[part]), name


def test_a_queue_has_the_size_of_the_first_run():
    with pytest.raises(
            ValueError, match=r'queue\.features of shape \(10, 16\), this '
            r'UmURL wants \(20, 16\); the settings of the heads must be'):
        build(**{'heads.neighbor.queue_size': 20}).load_state_dict(
            build().state_dict())


@pytest.mark.parametrize('settings, message', [
    ({'heads.neighbor.temperature': 0}, 'temperature=0 must be above 0'),
    ({'heads.neighbor.hidden_channels': 0}, 'hidden_channels=0 must be at'),
    ({'heads.neighbor.queue_size': 0}, 'queue_size=0 and channels=16 must'),
])
def test_settings_out_of_range_end_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**settings)
    assert '\n' not in explain(error.value)


@pytest.mark.parametrize('settings, views, message', [
    (dict(branches=None), 4, r"one for each of \['joint', 'bone', 'motion'\]: "
     r'set model\.share_neck=True'),
    ({'heads.neighbor.channels': 8}, 2, 'the keys have 16 channels, the queue '
     'has 8'),
    ({'heads.neighbor.queue_size': 12}, 2, 'a queue of 12 keys is not '
     'divisible by the 5 keys'),
])
def test_what_does_not_fit_ends_the_first_step_in_one_line(
        settings, views, message):
    with pytest.raises(ValueError, match=message) as error:
        build(**settings)(make_views(views), mode='loss')
    assert explain(error.value) == str(error.value)


def test_parts_do_not_enter_the_queue():
    with pytest.raises(
            ValueError,
            match=r'model\.heads\.neighbor keeps a queue, which parts .*: '
            r"leave out model\.parts=\{'temporal': 0\.5\}"):
        build(parts=dict(temporal=0.5))
