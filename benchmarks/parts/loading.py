"""The dataloader, and the whole pre-training loop."""
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from .product import PRETRAIN, load_config, optim_wrapper, write_annotations
from .running import train, use_clips
from .settings import MIB, Row, Settings, speed
from .timing import seconds_of

# The training clips of NTU RGB+D 60 xsub, the epochs of the paper's recipe.
NTU60_XSUB, EPOCHS = 40091, 451


def loader(settings: Settings) -> list[Row]:
    """Measure clips per second and memory of the dataloader."""
    num_clips = settings.num_clips or settings.pick(
        smoke=8, cpu=4000, cuda=114000)
    with TemporaryDirectory() as folder:
        ann_file = Path(folder, 'clips.pkl')
        print(f'writing {num_clips} clips', file=sys.stderr)
        write_annotations(ann_file, num_clips)
        # In a fresh process, only the data count. What it logs goes to the
        # standard error.
        with ProcessPoolExecutor(
                1,
                multiprocessing.get_context('spawn'),
                initializer=os.dup2,
                initargs=(2, 1)) as pool:
            return pool.submit(_load, str(ann_file), settings).result()


def _load(ann_file: str, settings: Settings) -> list[Row]:
    import umurl_mmaction  # noqa: F401
    init_default_scope('mmaction')
    return _measure_loader(ann_file, settings)


def _measure_loader(ann_file: str, settings: Settings) -> list[Row]:
    batch_size = max(settings.batch_sizes)
    cfg = load_config(PRETRAIN, settings.embed_dims[0], settings)
    use_clips(cfg.train_dataloader, ann_file, batch_size,
              settings.num_workers)
    cfg.train_dataloader.pin_memory = False
    # A spawned process would otherwise spawn its workers, too.
    multiprocessing.set_start_method(
        cfg.env_cfg.mp_cfg.mp_start_method, force=True)
    before = _memory_of([os.getpid()], 'Rss')
    start = time.perf_counter()
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    len(loader.dataset)
    seconds = time.perf_counter() - start
    peak = _read_bytes('/proc/self/status', 'VmHWM')
    size = len(loader.dataset)
    array_bytes = sum(
        loader.dataset.get_data_info(i)['keypoint'].nbytes
        for i in range(size))

    times = [seconds_of(lambda: _exhaust(loader), 'cpu') for _ in range(3)]
    # Now the workers' queues are full.
    batches = iter(loader)
    next(batches)
    workers = [child.pid for child in multiprocessing.active_children()]
    held = _memory_of([os.getpid(), *workers], 'Pss')
    _exhaust(batches)

    what = (f'{size} clips, {array_bytes / MIB:.0f} MiB, '
            f'workers: {settings.num_workers}')
    # The first round includes the start of the workers.
    return [
        speed(
            'loader',
            'product',
            len(loader) * batch_size,
            times[1:],
            what=what,
            batch_size=batch_size),
        Row('loader', 'product', seconds, 's', what=f'reading {what}'),
        *(Row(
            'loader',
            'product',
            value / array_bytes,
            'x the arrays',
            what=f'{name}, {what}',
            more=dict(
                bytes=value, array_bytes=array_bytes, bytes_before=before))
          for name, value in (('peak RSS while reading', peak),
                              ('PSS of all processes', held)) if value)
    ]


def _exhaust(batches: Iterable) -> None:
    for _ in batches:
        pass


def _memory_of(pids: list, field: str) -> int:
    """Add up the bytes of processes: ``Rss``, or ``Pss`` (shared once)."""
    return sum(_read_bytes(f'/proc/{pid}/smaps_rollup', field)
               for pid in pids)


def _read_bytes(path: str, field: str) -> int:
    """Read a field of Linux's counts; 0 on other systems."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines
                 if line.startswith(f'{field}:')), 0)


def loop(settings: Settings) -> list[Row]:
    """Measure clips per second of pre-training with loader and logging."""
    batch_size = max(settings.batch_sizes)
    num_clips = settings.num_clips or settings.pick(
        smoke=8, cpu=4 * batch_size, cuda=NTU60_XSUB)
    name = f'product {settings.precision}'
    variants: dict[str, list[dict]] = {name: []}
    if settings.device == 'cuda' or settings.smoke:
        variants[f'{name}, clips kept on the device'] = [
            dict(type='KeepOnDeviceHook')
        ]
    rows = []
    for embed_dims in settings.embed_dims:
        for name, hooks in variants.items():
            cfg = load_config(PRETRAIN, embed_dims, settings)
            cfg.optim_wrapper = optim_wrapper(cfg, settings.precision)
            cfg.train_cfg.max_epochs = 3
            cfg.custom_hooks = hooks
            cfg.compile = settings.compile
            seconds = train(cfg, num_clips, batch_size, settings)[1:]
            row = speed(
                'loop',
                name,
                num_clips // batch_size * batch_size,
                seconds,
                'clips/s',
                what=f'{num_clips} clips',
                embed_dims=embed_dims,
                batch_size=batch_size)
            hours = EPOCHS * NTU60_XSUB / row.value / 3600
            row.more['hours_of_451_epochs'] = hours
            rows.append(row)
    return rows
