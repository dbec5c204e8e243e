"""USDRL, as its configs describe it."""
import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from reference import model as umurl
from reference.usdrl import usdrl_joint_loss, usdrl_loss
from torch.testing import assert_close

CONFIGS = REPO / 'configs/usdrl'
NTU = '1xb356-451e_ntu60-xsub-keypoint-3d'


def load(name):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.backbone.update(embed_dims=8, clip_len=6)
    cfg.model.neck.update(hidden_channels=16, out_channels=24)
    cfg.model.part_neck.update(hidden_channels=16, out_channels=12)
    if 'drop_path_rate' in cfg.model.backbone:
        # Its draws are tested with the encoder.
        cfg.model.backbone.drop_path_rate = 0.
    return cfg.model


def make_views():
    return [torch.randn(5, 2, 6, 25, 3).double() for _ in range(4)]


def assert_equal_to(model, views, expected):
    """The value and all gradients are those of the plain loss."""
    weights = dict(model.named_parameters())
    grads = torch.autograd.grad(expected, list(weights.values()))
    loss = sum(model(views, mode='loss').values())
    # The two position tables agree to float32.
    assert_close(loss, expected, rtol=1e-6, atol=0)
    loss.backward()
    for (name, value), grad in zip(weights.items(), grads):
        error = (value.grad - grad).abs().max()
        # Biases in front of a batch norm have no gradient.
        assert error <= 1e-5 * grad.abs().max() + 1e-9, name


def test_the_published_method_equals_the_plain_one():
    model = MODELS.build(load(f'usdrl-joint_{NTU}')).double()
    views = make_views()
    expected = usdrl_joint_loss(dict(model.named_parameters()), views, 8)
    assert_equal_to(model, views, expected)


def test_with_dste_it_equals_the_plain_one():
    model = MODELS.build(load(f'usdrl-dste-joint_{NTU}')).double()
    views = make_views()

    def project(domain, feature):
        necks = model.part_necks
        necks = model.neck if domain == 'instance' else necks[domain]
        return necks['shared'](feature)

    features = [model.backbone(dict(joint=view)) for view in views]
    assert_equal_to(model, views, usdrl_loss(features, 8, project))


def test_with_several_modalities_it_has_umurls_views():
    model = MODELS.build(load('usdrl_1xb64-3k_synthetic')).double()
    views = make_views()
    weights = dict(model.named_parameters())
    streams = [
        *({name: umurl.stream(view, name)}
          for name, view in zip(umurl.MODALITIES, views)),
        {name: umurl.stream(views[-1], name) for name in umurl.MODALITIES}
    ]
    *singles, fused = (umurl.feature(weights, x) for x in streams)
    expected = 0
    for weight, necks, channels in (
            (1, model.neck, slice(None)),
            (0.5, model.part_necks['temporal'], slice(0, 8)),
            (0.5, model.part_necks['spatial'], slice(8, None))):
        uni, decomposed = ({
            name: necks[name](x[:, channels])
            for name, x in zip(umurl.MODALITIES, group)
        } for group in (singles, 3 * [fused]))
        expected += weight * sum(umurl.losses(uni, decomposed).values())
    assert_equal_to(model, views, expected)


def test_a_shared_projector_projects_each_view_once():
    model = MODELS.build(load(f'usdrl-joint_{NTU}')).double()
    rows = []
    model.neck['shared'].mlp[0].register_forward_hook(
        lambda module, args, out: rows.append(len(out)))
    model(make_views(), mode='loss')
    assert rows == [4 * 5]
    _, uni, decomposed = model.project(make_views())
    assert list(uni) == list(decomposed) == ['first', 'second', 'third']


def test_recipe_of_ntu_is_the_one_that_was_read():
    for name in ('usdrl-joint', 'usdrl-dste-joint'):
        cfg = Config.fromfile(CONFIGS / f'{name}_{NTU}.py')
        model = MODELS.build(cfg.model)
        assert model.num_views == 4
        assert model.modalities == ('joint', )
        for axis in ('temporal', 'spatial'):
            assert len(model.backbone.encoder[axis].layers) == 2
            widths = [
                layer.weight.shape
                for layer in model.part_necks[axis]['shared'].mlp[::3]
            ]
            assert widths == [(2048, 1024), (2048, 2048), (2048, 2048)]
        widths = [
            layer.weight.shape for layer in model.neck['shared'].mlp[::3]
        ]
        assert widths == [(2048, 2048), (2048, 2048), (4096, 2048)]
        assert cfg.train_dataloader.batch_size == 356
        assert cfg.train_cfg.max_epochs == 451
        assert cfg.param_scheduler[0].milestones == [351]
        assert cfg.optim_wrapper.optimizer == dict(
            type='Adam', lr=5e-4, weight_decay=1e-5, fused=True)


@pytest.mark.parametrize('name', [f'usdrl-joint_{NTU}',
                                  f'usdrl-dste-joint_{NTU}'])
def test_projectors_start_as_published(name):
    """As the encoder: linear weights from N(0, 0.02), biases 0."""
    model = MODELS.build(load(name))
    model.init_weights()
    necks = [model.neck, *model.part_necks.values()]
    layers = [layer for neck in necks for layer in neck.modules()
              if isinstance(layer, torch.nn.Linear)]
    assert len(layers) == 9
    for layer in layers:
        assert not layer.bias.any()
    values = torch.cat([layer.weight.flatten() for layer in layers])
    # A twentieth of normal values is beyond two deviations; torch's own
    # uniform ones end at 0.25 or more.
    assert_close(values.std().item(), 0.02, rtol=0.05, atol=0)
