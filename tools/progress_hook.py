"""A bar over the steps of a training, which MMEngine does not show."""
import sys
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils import ProgressBar

from umurl_mmaction.progress import bar_file


class ProgressHook(Hook):
    """Shows a bar over the iterations of a training."""

    def before_train(self, runner: Runner) -> None:
        self.bar = ProgressBar(
            runner.max_iters - runner.iter, file=bar_file(sys.__stdout__))

    def after_train_iter(self, runner: Runner, *args: Any,
                         **kwargs: Any) -> None:
        self.bar.update()

    def after_train(self, runner: Runner) -> None:
        self.bar.file.write('\n')
