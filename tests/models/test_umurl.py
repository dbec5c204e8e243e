import pytest
import torch
from mmaction.registry import MODELS
from reference import model as plain

from umurl_mmaction.models.official.files import to_ours
from umurl_mmaction.models.official.names import (
    is_pretraining_only,
    our_name,
)
from umurl_mmaction.skeleton.modalities import MODALITIES

TERMS = ('intra', 'inter', 'var', 'cov')


def build(embed_dims=16, clip_len=8, out_channels=48, **kwargs):
    cfg = dict(
        type='UmURL',
        backbone=dict(
            type='UmURLBackbone', embed_dims=embed_dims, clip_len=clip_len),
        neck=dict(
            type='ModalityProjector',
            in_channels=2 * embed_dims,
            out_channels=out_channels),
        heads=dict(
            intra=dict(type='IntraModalConsistencyHead'),
            inter=dict(type='InterModalConsistencyHead'),
            regularizer=dict(type='VarianceCovarianceHead')))
    return MODELS.build({**cfg, **kwargs})


def make_views(batch=5, clip_len=8, count=4):
    return [torch.randn(batch, 2, clip_len, 25, 3) for _ in range(count)]


@pytest.fixture
def paper(golden, shared):
    """The model, views and outputs of the paper's own code."""
    arrays = golden('model_h32.npz')
    path = shared('fixtures/golden/model_h32.pth.tar')
    model = build(embed_dims=32, clip_len=64, out_channels=4096)
    model.load_state_dict(
        to_ours(torch.load(path))['state_dict'], strict=True)
    views = [
        torch.from_numpy(arrays[f'view{i}']).permute(0, 4, 2, 3, 1)
        for i in range(1, 5)
    ]
    return model, views, arrays


@pytest.mark.shared
def test_features_equal_the_papers_code(paper):
    model, views, arrays = paper
    backbone = model.eval().backbone
    for name, view in zip(model.modalities, views):
        stream = MODALITIES.get(name)(view, model.backbone.layout)
        torch.testing.assert_close(
            backbone({name: stream}),
            torch.from_numpy(arrays[f'y_{name}']),
            atol=1e-5,
            rtol=0)
    fused = torch.from_numpy(arrays['y_fused'])
    for feature in (backbone(views[3]), model(views[3])):
        torch.testing.assert_close(feature, fused, atol=1e-5, rtol=0)


@pytest.mark.shared
def test_losses_and_gradients_equal_the_papers_code(paper):
    model, views, arrays = paper
    losses = model.train()(views, mode='loss')
    # Before weighting, in the arrays.
    expected = dict(
        loss_intra=5 * arrays['intra'],
        loss_inter=5 * arrays['inter'],
        loss_var=5 * arrays['std_term'],
        loss_cov=arrays['cov_term'])
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name
    total = sum(losses.values())
    assert total.item() == pytest.approx(arrays['loss_total'], rel=1e-4)

    total.backward()
    parameters = dict(model.named_parameters())
    keys = [key for key in arrays if key.startswith('gradnorm:')]
    assert len(keys) == 4
    for key in keys:
        ours = parameters[our_name(key[len('gradnorm:'):])]
        assert ours.grad.norm().item() == pytest.approx(
            arrays[key], rel=1e-3), key


@pytest.mark.shared
def test_five_adam_steps_equal_the_papers_code(paper):
    model, views, arrays = paper
    model.train()
    optimizer = torch.optim.Adam(
        model.parameters(), lr=5e-4, weight_decay=1e-5)
    for expected in arrays['adam_losses']:
        loss = sum(model(views, mode='loss').values())
        assert loss.item() == pytest.approx(expected, rel=1e-3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize('num_heads, num_layers', [(1, 1), (2, 2)])
def test_losses_and_gradients_equal_the_plain_method(num_heads, num_layers):
    model = build(
        backbone=dict(
            type='UmURLBackbone',
            embed_dims=16,
            clip_len=8,
            num_heads=num_heads,
            num_layers=num_layers)).double()
    views = [view.double() for view in make_views()]
    weights = {
        key: value.detach().clone().requires_grad_()
        for key, value in model.named_parameters()
    }
    expected = plain.umurl_losses(weights, views, num_heads, num_layers)
    losses = model(views, mode='loss')
    # The two position tables agree to float32.
    close = dict(rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(losses, expected, **close)
    sum(losses.values()).backward()
    sum(expected.values()).backward()
    for key, value in model.named_parameters():
        torch.testing.assert_close(
            value.grad, weights[key].grad, **close, msg=key)


def test_heads_are_independent_terms():
    model = build(heads=dict(only=dict(type='InterModalConsistencyHead')))
    assert list(model(make_views(), mode='loss')) == ['loss_inter']


def test_two_modalities_take_three_views():
    names = ('bone', 'motion')
    model = build(
        backbone=dict(
            type='UmURLBackbone', embed_dims=16, clip_len=8,
            modalities=names))
    assert len(model(make_views(count=3), mode='loss')) == 4
    with pytest.raises(
            ValueError, match='4 views were given, but .* want 3.*'
            'model.backbone.modalities') as error:
        model(make_views(count=4), mode='loss')
    assert '\n' not in str(error.value)


def test_a_branch_has_modalities_of_the_encoder():
    backbone = dict(
        type='UmURLBackbone', embed_dims=16, modalities=('joint', 'bone'))
    with pytest.raises(
            ValueError, match="model.branches.fast has 'motion', which is not "
            r"in model.backbone.modalities=\('joint', 'bone'\)"):
        build(backbone=backbone, branches=dict(fast=['motion']))


@pytest.mark.parametrize('modalities', [('joint', 'bone', 'motion'), None])
def test_one_branch_of_all_modalities_is_plain_early_fusion(modalities):
    model = build(
        branches=dict(fused=modalities),
        heads=dict(
            intra=dict(type='IntraModalConsistencyHead'),
            regularizer=dict(type='VarianceCovarianceHead')))
    views = make_views(count=2)
    z = [model.neck['fused'](model(view)) for view in views]
    expected = plain.losses(dict(fused=z[0]), dict(fused=z[1]))
    del expected['loss_inter']
    torch.testing.assert_close(model(views, mode='loss'), expected)


def test_parts_add_the_same_terms_on_their_own_channels():
    """USDRL's heads on the temporal and the spatial part."""
    neck = dict(type='ModalityProjector', out_channels=24)
    model = build(parts=dict(temporal=0.5, spatial=0.25), part_neck=neck)
    for key in model.state_dict():
        assert is_pretraining_only(key) != key.startswith('backbone.')
    plainly = build()
    plainly.load_state_dict(model.state_dict(), strict=False)
    views = make_views()
    whole = plainly(views, mode='loss')
    losses = model(views, mode='loss')
    torch.testing.assert_close({name: losses.pop(name)
                                for name in whole}, whole)
    streams = [
        *({name: plain.stream(view, name)}
          for name, view in zip(plain.MODALITIES, views)),
        {name: plain.stream(views[-1], name) for name in plain.MODALITIES}
    ]
    *single, fused = (model.backbone(x) for x in streams)
    for part, weight, channels in (('temporal', 0.5, slice(0, 16)),
                                   ('spatial', 0.25, slice(16, 32))):
        necks = model.part_necks[part]
        assert necks['bone'].mlp[-1].weight.shape == (24, 16)
        expected = plain.losses(
            {name: necks[name](feature[:, channels])
             for name, feature in zip(plain.MODALITIES, single)},
            {name: necks[name](fused[:, channels])
             for name in plain.MODALITIES})
        for name, term in expected.items():
            torch.testing.assert_close(losses.pop(f'{name}_{part}'),
                                       weight * term)
    assert not losses


def test_projectors_of_parts_have_the_size_of_the_pre_training():
    neck = dict(type='ModalityProjector', out_channels=24)
    model = build(parts=dict(temporal=1), part_neck=neck)
    other = build(parts=dict(temporal=1))
    with pytest.raises(
            ValueError,
            match=r'has part_necks\.temporal\.joint\.mlp\.6\.weight of shape '
            r'\(24, 16\), this UmURL wants \(48, 16\)'):
        other.load_state_dict(model.state_dict())


def test_a_part_that_the_encoder_lacks_is_refused():
    with pytest.raises(ValueError, match=r"'hand', but the parts of "
                       r"UmURLBackbone are \['spatial', 'temporal'\]"):
        build(parts=dict(hand=1))


@pytest.mark.parametrize('kwargs', [{}, dict(parts=dict(temporal=0.5))])
def test_every_weight_is_trained(kwargs):
    model = build(**kwargs)
    sum(model(make_views(), mode='loss').values()).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_batch_of_one_is_refused():
    with pytest.raises(ValueError, match='batch of one sample') as error:
        build()(make_views(batch=1), mode='loss')
    assert '\n' not in str(error.value)


def test_prediction_is_not_its_business():
    with pytest.raises(ValueError, match='use SkeletonKNN or RecognizerGCN'):
        build()(make_views(), mode='predict')
