import os
import signal
import threading
from functools import partial
from typing import Any, Callable, NoReturn, Optional

import torch
from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from .safe_checkpoint_hook import SafeCheckpointHook

# The status of a process that the signal ended: a queue can recognise it.
EXIT_CODE = 128 + signal.SIGTERM


def _wait_for_the_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _init_worker(init: Optional[Callable], worker: int) -> None:
    """Let a worker of a loader ignore SIGTERM from anyone but its parent.

    Launchers and queues send the signal to whole process groups. A training
    whose workers die fails before it can save a checkpoint. ``init`` is the
    loader's own ``worker_init_fn``.
    """
    if init is not None:
        init(worker)
    if hasattr(signal, 'sigwaitinfo'):  # not on macOS and Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(
            target=_wait_for_the_parent, args=(os.getppid(), ),
            daemon=True).start()


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save a checkpoint and end the run on SIGTERM.

    The run first completes the current iteration or validation; after the
    last iteration of an epoch, also the work at the end of the epoch. Then
    ``SafeCheckpointHook`` writes ``interrupted.pth``, from which ``--resume``
    continues within the epoch (see ``ResumeHook``), and the process exits
    with status 143. A signal to one rank stops all ranks. The launcher should
    leave them the time for an iteration and for writing the file (torchrun:
    30 seconds).
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._asked = False
        self._saver: Optional[SafeCheckpointHook] = None
        self._previous: Any = None

    def before_train(self, runner: Runner) -> None:
        """Install the signal handler."""
        self._saver = next((hook for hook in runner.hooks
                            if isinstance(hook, SafeCheckpointHook)), None)
        if (self._saver is None
                or threading.current_thread() is not threading.main_thread()):
            self._saver = None
            runner.logger.warning(
                'SIGTERM will end the run without a checkpoint: that takes '
                'SafeCheckpointHook, and the main thread')
            return
        self._pid = os.getpid()
        self._previous = signal.signal(signal.SIGTERM, self._on_signal)
        for loop in filter(None, (runner.train_loop, runner.val_loop)):
            loader = loop.dataloader
            loader.worker_init_fn = partial(_init_worker,
                                            loader.worker_init_fn)

    def _on_signal(self, number: int, frame: Any) -> None:
        if os.getpid() == self._pid:
            self._asked = True
        else:  # a process forked from the training
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _agreed(self) -> bool:
        """Return whether any rank has received the signal."""
        if self._saver is None:
            return False
        asked = torch.tensor(int(self._asked))
        dist.all_reduce(asked, 'max')
        return bool(asked)

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Stop after an iteration, if a rank has received the signal."""
        if not self._agreed():
            return
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, OptimWrapper) and not wrapper.should_update():
            return  # a checkpoint does not hold accumulated gradients
        loop = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        if by_epoch and self.end_of_epoch(loop.dataloader, batch_idx):
            return  # other hooks first complete the epoch
        self._stop(runner, runner.epoch, runner.iter + 1,
                   batch_idx + 1 if by_epoch else 0)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop after an epoch, if a rank has received the signal."""
        if (isinstance(runner.train_loop, EpochBasedTrainLoop)
                and self._agreed()):
            self._stop(runner, runner.epoch + 1, runner.iter)

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: Optional[dict] = None) -> None:
        """Stop after a validation, if a rank has received the signal."""
        if self._agreed():
            self._stop(runner, runner.epoch, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Restore the earlier signal handler."""
        if self._saver is not None:
            signal.signal(signal.SIGTERM, self._previous)
            self._saver = None

    def _stop(self,
              runner: Runner,
              epoch: int,
              iteration: int,
              num_batches: int = 0) -> NoReturn:
        assert self._saver is not None
        path = self._saver.save_interrupted(
            runner, dict(epoch=epoch, iter=iteration), num_batches)
        runner.visualizer.close()
        runner.logger.warning(
            f'SIGTERM: the training stops after iteration {iteration} and is '
            f'saved to {path}; --resume goes on from there')
        # The launcher kills the other ranks as soon as one rank exits.
        dist.barrier()
        raise SystemExit(EXIT_CODE)
