"""Trainings by MMEngine's Runner on generated clips."""
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils import ProgressBar

from umurl_mmaction.progress import bar_file

from .product import write_annotations
from .settings import Settings
from .timing import synchronize


class EpochTimer(Hook):
    """Time the epochs, and show a bar over all iterations.

    ``seconds`` holds the time from the end of one epoch to the end of the
    next. The first starts with the run.
    """
    priority = 'LOWEST'

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: list[float] = []

    def before_run(self, runner: Runner) -> None:
        self.bar = ProgressBar(runner.max_iters, file=bar_file(sys.stderr))
        self.last = time.perf_counter()

    def after_train_iter(self, runner: Runner, *args: Any,
                         **kwargs: Any) -> None:
        self.bar.update()

    def after_train_epoch(self, runner: Runner, *args: Any,
                          **kwargs: Any) -> None:
        synchronize(self.device)
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now

    def after_run(self, runner: Runner) -> None:
        print(file=bar_file(sys.stderr))


def use_clips(loader: Config, ann_file: str, batch_size: int,
              num_workers: int) -> None:
    """Let a config's dataloader read clips of ``write_annotations``."""
    loader.dataset.update(ann_file=ann_file, split='train')
    loader.update(
        batch_size=batch_size,
        num_workers=num_workers,
        persistent_workers=num_workers > 0)


def train(cfg: Config, num_clips: int, batch_size: int,
          settings: Settings) -> list[float]:
    """Train on generated clips without validation and checkpoints.

    Returns:
        list[float]: The seconds of each epoch. The first includes the work
        before training, except for reading the data.
    """
    with TemporaryDirectory() as folder:
        ann_file = Path(folder, 'clips.pkl')
        write_annotations(ann_file, num_clips)
        # Ending a worker may take seconds.
        num_workers = 0 if settings.smoke else settings.num_workers
        use_clips(cfg.train_dataloader, str(ann_file), batch_size, num_workers)
        cfg.train_dataloader.pin_memory = settings.device == 'cuda'
        cfg.default_hooks.update(checkpoint=None)
        cfg.update(
            val_dataloader=None,
            val_cfg=None,
            val_evaluator=None,
            test_dataloader=None,
            test_cfg=None,
            test_evaluator=None,
            load_from=None,
            work_dir=folder,
            experiment_name=f'benchmark_{time.time_ns()}',
            log_level='ERROR',
            randomness=dict(seed=0))
        timer = EpochTimer(settings.device)
        runner = Runner.from_cfg(cfg)
        runner.register_hook(timer)
        runner.train()
    return timer.seconds
