"""Speed and memory of the loss and of a training step."""
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, Callable

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from umurl_mmaction.analysis.flops import count_flops
from umurl_mmaction.skeleton.batch import pack_clips

from .plain import plain
from .product import PRETRAIN, load_config, make_clips, optim_wrapper
from .settings import DTYPES, MIB, Row, Settings, speed
from .timing import alternate, peak_bytes

Views = Sequence[Tensor]


def total(losses: dict[str, Tensor]) -> Tensor:
    """Add up the terms."""
    return torch.stack(list(losses.values())).sum()


class Plain:
    """The plain module with torch's mixed precision and its default Adam.

    It starts from copies of ``weights``.
    """

    def __init__(self, weights: dict[str, Tensor], precision: str) -> None:
        embed_dims = weights['backbone.fusion.temporal.weight'].shape[0]
        out_channels = weights['neck.joint.mlp.6.weight'].shape[0]
        self.model = plain('module').UmURL(embed_dims, out_channels)
        # The projectors' running averages stay as they are.
        self.model.load_state_dict(weights, strict=False)
        self.device = next(iter(weights.values())).device.type
        self.model.to(self.device)
        self.precision = precision
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=5e-4, weight_decay=1e-5)
        self.scaler = torch.amp.GradScaler(
            self.device, enabled=precision == 'fp16')

    def loss(self, views: Views) -> dict[str, Tensor]:
        """Compute the four terms."""
        with torch.autocast(
                self.device,
                DTYPES[self.precision],
                enabled=self.precision != 'fp32'):
            return self.model(views)

    def step(self, views: Views) -> None:
        """Run forward, backward and the optimizer."""
        loss = total(self.loss(views))
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


class Product:
    """``UmURL`` with the optimizer wrapper of its config.

    It starts from copies of ``weights``.
    """

    def __init__(self,
                 cfg: Config,
                 weights: dict[str, Tensor],
                 precision: str,
                 compiled: bool = False) -> None:
        model = MODELS.build(cfg.model)
        model.load_state_dict(weights, strict=False)
        self.model = model.to(next(iter(weights.values())).device)
        self.optimizer = build_optim_wrapper(self.model,
                                             optim_wrapper(cfg, precision))
        if compiled:
            self.model.forward = torch.compile(self.model.forward)

    def loss(self, views: Views) -> dict[str, Tensor]:
        """Compute the four terms."""
        with self.optimizer.optim_context(self.model):
            return self.model(views, mode='loss')

    def step(self, views: Views) -> None:
        """Run MMEngine's ``train_step`` on views."""
        loss, _ = self.model.parse_losses(self.loss(views))
        self.optimizer.update_params(loss)


class Contest:
    """All variants of one size, with the same weights and views.

    Attributes:
        variants (dict[str, Plain | Product]): The variants by name.
        views (list[Tensor]): Four joint arrays, (N, M, T, V, C).
        flops (dict[str, int]): The FLOPs of a step of ``'plain'`` and
            ``'product'``, counted from the shapes.
    """

    def __init__(self, embed_dims: int, batch_size: int,
                 settings: Settings) -> None:
        print(
            f'embed_dims {embed_dims}, batch size {batch_size}',
            file=sys.stderr)
        self.embed_dims, self.batch_size = embed_dims, batch_size
        self.settings = settings
        cfg = load_config(PRETRAIN, embed_dims, settings)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model).to(settings.device)
        clips = [torch.from_numpy(clip) for clip in make_clips(batch_size)]
        data = dict(inputs=pack_clips(clips))
        self.views = model.data_preprocessor(data, True)['inputs']
        weights = dict(model.named_parameters())
        del model
        self.flops = _count(cfg, self.views)
        self.variants: dict[str, Any] = {}
        for precision in settings.precisions:
            self.variants[f'plain {precision}'] = Plain(weights, precision)
        for precision in settings.precisions:
            self.variants[f'product {precision}'] = Product(
                cfg, weights, precision)
        if settings.compile:
            name = f'product {settings.precision}, compiled'
            self.variants[name] = Product(cfg, weights, settings.precision,
                                          True)

    def losses(self) -> dict[str, dict[str, float]]:
        """Compute each variant's terms on the views, before any step.

        Raises:
            RuntimeError: If plain and product in full precision differ by
                more than 0.1 %.
        """
        losses = {
            name: {
                term: value.item()
                for term, value in variant.loss(self.views).items()
            }
            for name, variant in self.variants.items()
        }
        for term, wanted in losses['plain fp32'].items():
            got = losses['product fp32'][term]
            if not abs(got - wanted) <= 1e-3 * abs(wanted):
                raise RuntimeError(
                    f'{term} is {got} in the product and {wanted} in the '
                    'plain method: they do not compute the same thing')
        return losses

    def time(self, what: str) -> dict[str, list[float]]:
        """Time ``loss`` or ``step`` of each variant on the views."""
        return alternate(
            {name: partial(getattr(variant, what), self.views)
             for name, variant in self.variants.items()},
            self.settings.steps,
            self.settings.device,
            warmup=self.settings.pick(smoke=1, cpu=1, cuda=3))

    def peaks(self) -> dict[str, int]:
        """Measure the peak bytes of a step beyond weights and optimizer."""
        peaks = {}
        for name, variant in self.variants.items():
            step = partial(variant.step, self.views)
            step()
            variant.optimizer.zero_grad()
            peaks[name] = peak_bytes(step, self.settings.device)
            variant.optimizer.zero_grad()
        return peaks

    @property
    def size(self) -> dict[str, Any]:
        """The size as a row has it."""
        return dict(embed_dims=self.embed_dims, batch_size=self.batch_size)


def _count(cfg: Config, views: Views) -> dict[str, int]:
    """Count the FLOPs of both losses, forward and backward."""
    reference = plain('model')
    # Fill the cache of the table with real numbers before the fake run.
    reference.positions(views[0].shape[2], cfg.model.backbone.embed_dims,
                        torch.device('cpu'))
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = MODELS.build(cfg.model)
        weights = dict(model.named_parameters())
        fakes = [torch.empty(view.shape) for view in views]
        losses = dict(
            plain=lambda: reference.umurl_losses(weights, fakes),
            product=lambda: model(fakes, mode='loss'))
        return {
            name: count_flops(partial(_backward, loss))
            for name, loss in losses.items()
        }


def _backward(loss: Callable[[], dict[str, Tensor]]) -> None:
    total(loss()).backward()


def _contests(settings: Settings) -> Iterator[Contest]:
    for size in product(settings.embed_dims, settings.batch_sizes):
        contest = Contest(*size, settings)
        yield contest
        # Two contests may not fit into memory.
        contest.variants.clear()
        del contest


def forward(settings: Settings) -> list[Row]:
    """Measure samples per second from views to loss, as in training."""
    rows = []
    for contest in _contests(settings):
        losses = contest.losses()
        for name, seconds in contest.time('loss').items():
            rows.append(
                speed(
                    'forward',
                    name,
                    contest.batch_size,
                    seconds,
                    **contest.size,
                    more=dict(losses=losses[name])))
    return rows


def step(settings: Settings) -> list[Row]:
    """Measure samples per second from views to updated weights."""
    rows = []
    for contest in _contests(settings):
        for name, seconds in contest.time('step').items():
            method, precision = name.split(',')[0].split()
            rows.append(
                speed(
                    'step',
                    name,
                    contest.batch_size,
                    seconds,
                    **contest.size,
                    more=dict(
                        flops=contest.flops[method], precision=precision)))
    return rows


def memory(settings: Settings) -> list[Row]:
    """Measure the MiB of the regulariser alone, and of a step."""
    rows = _regularizers(settings)
    for contest in _contests(settings):
        rows += [
            Row('memory', name, peak / MIB, 'MiB', 'step', **contest.size)
            for name, peak in contest.peaks().items()
        ]
    return rows


def _regularizers(settings: Settings) -> list[Row]:
    """Measure variance and covariance of six features, with gradients."""
    batch_size, channels = (16, 64) if settings.smoke else (512, 4096)
    features = {
        str(i): torch.randn(
            batch_size, channels, device=settings.device).requires_grad_()
        for i in range(6)
    }
    head = MODELS.build(dict(type='VarianceCovarianceHead'))
    variance, covariance = plain('model').variance, plain('module').covariance

    def run_plain() -> None:
        loss = sum(5 * variance(x) + covariance(x)
                   for x in features.values())
        torch.autograd.grad(loss, list(features.values()))

    def run_product() -> None:
        loss = total(head(features, {}))
        torch.autograd.grad(loss, list(features.values()))

    return [
        Row('memory',
            name,
            peak_bytes(call, settings.device) / MIB,
            'MiB',
            what=f'variance and covariance of six ({batch_size}, {channels}) '
            'features')
        for name, call in (('plain fp32', run_plain),
                           ('product fp32', run_product))
    ]
