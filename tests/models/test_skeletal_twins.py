"""Skeletal Twins, as its configs describe it."""
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from reference import skeletal_twins as plain

CONFIGS = REPO / 'configs/skeletal_twins'


def build():
    path = CONFIGS / 'skeletal-twins_1xb64-3k_synthetic.py'
    cfg = Config.fromfile(path).model
    cfg.backbone.update(embed_dims=16, clip_len=8)
    cfg.neck.update(hidden_channels=24, out_channels=48)
    return MODELS.build(cfg).double(), cfg.heads


def test_losses_and_gradients_equal_the_plain_method():
    model, heads = build()
    views = [torch.randn(5, 2, 8, 25, 3).double() for _ in range(2)]
    weights = {
        key: value.detach().clone().requires_grad_()
        for key, value in model.named_parameters()
    }
    # The branch's view is the first; both pass through one projector.
    expected = plain.skeletal_twins_losses(weights, views,
                                           heads.barlow.redundancy_weight,
                                           heads.instance.loss_weight)
    losses = model(views, mode='loss')
    # The two position tables agree to float32.
    torch.testing.assert_close(losses, expected, rtol=1e-6, atol=0)
    sum(losses.values()).backward()
    sum(expected.values()).backward()
    for key, value in model.named_parameters():
        wanted = weights[key].grad
        error = (value.grad - wanted).abs().max()
        # Biases in front of a batch norm have no gradient.
        assert error <= 1e-6 * wanted.abs().max() + 1e-9, key


def test_the_order_of_the_twins_does_not_matter():
    model, _ = build()
    views = [torch.randn(5, 2, 8, 25, 3).double() for _ in range(2)]
    torch.testing.assert_close(
        model(views, mode='loss'), model(views[::-1], mode='loss'))


def test_recipe_of_ntu_is_the_one_that_was_read():
    cfg = Config.fromfile(
        CONFIGS /
        'skeletal-twins-stgcn_1xb128-150e_ntu60-xsub-keypoint-3d.py')
    assert cfg.model.backbone.trunk.type == 'STGCN'
    assert cfg.model.neck.hidden_channels == 6144
    assert cfg.model.neck.out_channels == 6144
    assert cfg.model.heads.barlow.redundancy_weight == 2e-4
    assert cfg.train_dataloader.batch_size == 128
    assert cfg.train_cfg.max_epochs == 150
    warmup, cosine = cfg.param_scheduler
    assert (warmup.start_factor, warmup.end) == (0.1, 10)
    assert (cosine.begin, cosine.end, cosine.eta_min) == (10, 150, 0)
    assert cfg.optim_wrapper.optimizer == dict(
        type='Adam', lr=5e-3, weight_decay=1e-5, fused=True)
