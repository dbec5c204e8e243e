"""Speed of a training step of the other methods."""
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from umurl_mmaction.skeleton.batch import pack_clips

from .plain import plain
from .product import CONFIGS, make_clips
from .settings import Row, Settings, speed
from .timing import alternate

Views = Sequence[Tensor]
Loss = Callable[[], Tensor]

METHODS = dict(
    skeletal_twins='skeletal_twins/skeletal-twins_1xb64-3k_synthetic.py',
    srcl='srcl/srcl_1xb64-3k_synthetic.py',
    hico='hico/hico_1xb64-3k_synthetic.py',
    usdrl='usdrl/usdrl-joint_1xb356-451e_ntu60-xsub-keypoint-3d.py')


class Follower:
    """The moving average and the queues of the plain method.

    Args:
        method (str): ``'srcl'`` or ``'hico'``.
        model (nn.Module): The product, from whose state it starts.
        weights (dict[str, Tensor]): The online weights.
    """

    def __init__(self, method: str, model: Any,
                 weights: dict[str, Tensor]) -> None:
        self.method, self.weights = method, weights
        self.target = {k: v.detach().clone() for k, v in weights.items()}
        self.momentum = model.target.momentum
        self.queues = {
            name: head.queue.features
            for name, head in model.heads.items()
        }

    def loss(self, views: Views) -> Tensor:
        """Update the average and the queues, and compute the loss."""
        reference = plain('online_target')
        self.target = reference.follow(self.target, self.weights,
                                       self.momentum)
        state = self.weights, self.target
        if self.method == 'hico':
            losses, self.queues = plain('hico').hico_losses(
                *state, self.queues, views, 0.2, plain('model').MODALITIES)
        else:
            losses, self.queues = reference.srcl_loss(
                *state, self.queues['relation'], views, 0.1, 0.04)
        return torch.stack(list(losses.values())).sum()


def product_loss(model: Any, views: Views) -> Tensor:
    """Compute the loss of the model of a config."""
    return torch.stack(list(model(views, mode='loss').values())).sum()


def plain_loss(method: str, model: Any, cfg: Config, views: Views) -> Loss:
    """Make the plain method on the product's weights."""
    weights = {
        name: weight
        for name, weight in model.named_parameters() if weight.requires_grad
    }
    if method == 'skeletal_twins':
        twins, heads = plain('skeletal_twins'), cfg.model.heads
        return lambda: torch.stack(
            list(
                twins.skeletal_twins_losses(
                    weights, views, heads.barlow.redundancy_weight, heads.
                    instance.loss_weight).values())).sum()
    if method == 'usdrl':
        width = cfg.model.backbone.embed_dims
        return lambda: plain('usdrl').usdrl_joint_loss(weights, views, width)
    follower = Follower(method, model, weights)
    return lambda: follower.loss(views)


def make_config(method: str, embed_dims: int, batch_size: int,
                settings: Settings) -> Config:
    """Load the method's config in this size, without dropout."""
    cfg = Config.fromfile(CONFIGS.parent / METHODS[method])
    cfg.model.backbone.embed_dims = embed_dims
    if method == 'hico':
        cfg.model.backbone.dropout = 0.
    # On a CPU, the plain terms of wide projections would take minutes.
    for neck in ('neck', 'part_neck'):
        if neck in cfg.model:
            width = cfg.model[neck].out_channels
            cfg.model[neck].out_channels = min(
                width, settings.pick(smoke=64, cpu=1024, cuda=width))
    for head in cfg.model.heads.values():
        if 'queue_size' in head:
            head.update(
                queue_size=4 * batch_size,
                channels=cfg.model.neck.out_channels)
    return cfg


def step(model: Any, loss: Loss) -> None:
    """Compute the gradients of a loss on the model's weights."""
    model.zero_grad()
    loss().backward()


def methods(settings: Settings) -> list[Row]:
    """Measure samples per second from views to gradients, in full precision.

    The update of moving averages and queues is in it, the optimizer is not.

    Raises:
        RuntimeError: If the losses differ by more than 0.1 %.
    """
    embed_dims, batch_size = (
        max(sizes) for sizes in (settings.embed_dims, settings.batch_sizes))
    rows = []
    for method in METHODS:
        cfg = make_config(method, embed_dims, batch_size, settings)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model).to(settings.device)
        clips = [torch.from_numpy(clip) for clip in make_clips(batch_size)]
        data = dict(inputs=pack_clips(clips))
        views = model.data_preprocessor(data, True)['inputs']

        variants: dict[str, Loss] = {
            'plain fp32': plain_loss(method, model, cfg, views),
            'product fp32': partial(product_loss, model, views)
        }
        wanted, got = (loss().item() for loss in variants.values())
        if not abs(got - wanted) <= 1e-3 * abs(wanted):
            raise RuntimeError(f'the loss of {method} is {got} in the product '
                               f'and {wanted} in the plain method: they do '
                               'not compute the same thing')

        times = alternate(
            {name: partial(step, model, loss)
             for name, loss in variants.items()}, settings.steps,
            settings.device)
        rows += [
            speed(
                'methods',
                name,
                batch_size,
                seconds,
                what=f'step of {method}',
                embed_dims=embed_dims,
                batch_size=batch_size) for name, seconds in times.items()
        ]
    return rows
