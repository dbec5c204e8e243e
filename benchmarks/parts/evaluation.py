"""Linear probe and retrieval."""
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from umurl_mmaction.models.utils.retrieval import nearest_neighbors

from .product import LINEAR, load_config
from .running import train
from .settings import MIB, Row, Settings, speed
from .timing import alternate, peak_bytes


def probe(settings: Settings) -> list[Row]:
    """Time a linear probe that encodes in every epoch, or once."""
    num_clips = settings.num_clips or settings.pick(
        smoke=8, cpu=256, cuda=4096)
    epochs = settings.pick(smoke=2, cpu=10, cuda=20)
    variants: dict[str, list[dict]] = {
        'plain, encoding in every epoch': [],
        'product, features cached': [dict(type='CacheFeaturesHook')]
    }
    rows = []
    for embed_dims in settings.embed_dims:
        times: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(settings.pick(smoke=1, cpu=3, cuda=3)):
            for name, hooks in variants.items():
                cfg = load_config(LINEAR, embed_dims, settings)
                cfg.train_cfg.max_epochs = epochs
                cfg.custom_hooks = hooks
                seconds = train(cfg, num_clips, max(settings.batch_sizes),
                                settings)
                times[name].append(sum(seconds))
        rows += [
            Row('probe',
                name,
                median(seconds),
                's',
                what=f'{epochs} epochs on {num_clips} clips',
                embed_dims=embed_dims,
                batch_size=max(settings.batch_sizes),
                seconds=seconds) for name, seconds in times.items()
        ]
    return rows


def retrieval(settings: Settings) -> list[Row]:
    """Measure queries per second and memory of 1-NN retrieval.

    Both variants find the label of the nearest clip by cosine. The plain one
    computes the whole similarity matrix::

        similarity = normalize(query) @ gallery.T     # (Q, G)
        label[similarity.argmax(dim=1)]

    The product computes it in chunks, see ``nearest_neighbors``.
    """
    # Queries and gallery; on CUDA as many as NTU RGB+D 60 has in xsub.
    sizes = settings.pick(
        smoke=(6, 20), cpu=(2048, 10000), cuda=(16487, 40091))
    batch_size = settings.pick(smoke=4, cpu=512, cuda=512)
    width = 2 * max(settings.embed_dims)
    torch.manual_seed(0)
    query, gallery = (
        torch.randn(size, width, device=settings.device) for size in sizes)
    gallery = F.normalize(gallery)
    label = torch.arange(len(gallery), device=settings.device) % 60

    def run_plain() -> Tensor:
        similarity = F.normalize(query) @ gallery.T
        return label[similarity.topk(1, dim=1).indices[:, 0]]

    def run_product() -> Tensor:
        found = [
            nearest_neighbors(F.normalize(part), gallery)[1][:, 0]
            for part in query.split(batch_size)
        ]
        return label[torch.cat(found)]

    # Ties may be broken either way.
    agree = (run_plain() == run_product()).float().mean().item()
    if agree < 0.999:
        raise RuntimeError(f'only {agree:.2%} of the labels are those of the '
                           'plain method')
    calls = dict(plain=run_plain, product=run_product)
    times = alternate(calls, settings.steps, settings.device)
    what = f'{sizes[0]} queries, {sizes[1]} clips of {width} channels'
    rows = [
        speed('retrieval', name, sizes[0], seconds, 'queries/s', what=what)
        for name, seconds in times.items()
    ]
    for name, call in calls.items():
        mib = peak_bytes(call, settings.device) / MIB
        rows.append(Row('retrieval', name, mib, 'MiB', what=what))
    return rows
