import os
import signal
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class EndWithLauncherHook(Hook):
    """Let the ranks end when their launcher has been killed.

    Launchers stop their processes on SIGTERM and Ctrl-C, but cannot do so
    when they are killed: the ranks would train on, and no command would show
    them. Between two iterations, this hook looks whether the process still
    has the parent that started it. If not, it sends itself SIGTERM:
    ``PreemptionHook`` then saves a checkpoint and stops all ranks.

    Linux could send the signal by itself (``PR_SET_PDEATHSIG``), but does so
    as soon as the parent's *thread* ends, and other systems cannot. A
    training is stopped only between two iterations anyway.

    A run without a launcher goes on without its parent, as with ``nohup``.
    """

    def __init__(self) -> None:
        self._launcher = os.getppid()

    def before_train(self, runner: Runner) -> None:
        """Look before the first iteration."""
        self._look(runner)

    def after_train_iter(self, runner: Runner, *args: Any,
                         **kwargs: Any) -> None:
        """Look after an iteration of the training."""
        self._look(runner)

    def after_val_iter(self, runner: Runner, *args: Any,
                       **kwargs: Any) -> None:
        """Look after an iteration of a validation."""
        self._look(runner)

    def _look(self, runner: Runner) -> None:
        # The children of a process that ends get another parent.
        if runner.launcher == 'none' or os.getppid() == self._launcher:
            return
        runner.logger.warning(f'the launcher, process {self._launcher}, has '
                              'ended without its ranks: they stop')
        self._launcher = os.getppid()
        os.kill(os.getpid(), signal.SIGTERM)
