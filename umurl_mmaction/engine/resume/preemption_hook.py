import os
import signal
import threading
import time
from functools import partial
from typing import Any, Callable, NoReturn, Optional

import torch
from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from .safe_checkpoint_hook import SafeCheckpointHook

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _wait_for_the_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _init_worker(init: Optional[Callable], worker: int) -> None:
    """Let a worker of a loader ignore signals from anyone but its parent.

    Launchers and queues send SIGTERM, and terminals SIGINT, to whole process
    groups. A training whose workers die fails before it can save a
    checkpoint. ``init`` is the loader's own ``worker_init_fn``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if init is not None:
        init(worker)
    if hasattr(signal, 'sigwaitinfo'):  # not on macOS and Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(
            target=_wait_for_the_parent, args=(os.getppid(), ),
            daemon=True).start()


def _end_by(number: int) -> NoReturn:
    """End this process at once, as the signal does by itself."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # where the signal is blocked


def _accumulates(runner: Runner) -> bool:
    """Tell whether there are gradients that a checkpoint does not hold."""
    wrapper = runner.optim_wrapper
    return isinstance(wrapper, OptimWrapper) and not wrapper.should_update()


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save a checkpoint and end the run on SIGTERM or Ctrl-C (SIGINT).

    The run first completes the current iteration or validation; after the
    last iteration of an epoch, also the work at the end of the epoch. Then
    ``SafeCheckpointHook`` writes ``interrupted.pth``, from which ``--resume``
    continues within the epoch (see ``ResumeHook``), and the process exits
    with status 128 + the signal's number: 143 or 130. A signal to one rank
    stops all ranks. The launcher should leave them the time for an iteration
    and for writing the file (torchrun: 30 seconds). A second Ctrl-C stops at
    once.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._asked = 0
        self._time = 0.
        self._saver: Optional[SafeCheckpointHook] = None
        self._previous: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Install the signal handlers."""
        self._saver = next((hook for hook in runner.hooks
                            if isinstance(hook, SafeCheckpointHook)), None)
        if (self._saver is None
                or threading.current_thread() is not threading.main_thread()):
            self._saver = None
            runner.logger.warning(
                'SIGTERM and Ctrl-C will end the run without a checkpoint: '
                'that takes SafeCheckpointHook, and the main thread')
            return
        self._pid = os.getpid()
        self._asked = 0
        self._code = type(runner.train_loop).run.__code__
        self._previous = {
            number: signal.signal(number, self._on_signal)
            for number in SIGNALS
        }
        for loop in filter(None, (runner.train_loop, runner.val_loop)):
            loader = loop.dataloader
            loader.worker_init_fn = partial(_init_worker,
                                            loader.worker_init_fn)

    def _on_signal(self, number: int, frame: Any) -> None:
        if os.getpid() != self._pid:  # a process forked from the training
            _end_by(number)
        # torchrun may hand on a Ctrl-C that the ranks had from the terminal.
        launched = 'TORCHELASTIC_RUN_ID' in os.environ
        if not self._trains(frame):  # a stop or an error has ended it
            self._restore()
            if not launched:  # torchrun ends ranks that end by themselves
                signal.raise_signal(number)
            return
        if self._asked != number:
            self._asked, self._time = number, time.monotonic()
        elif launched and time.monotonic() > self._time + 1:
            _end_by(number)
        if number == signal.SIGINT and not launched:
            # The second one does not wait until Python can look at it.
            signal.signal(number, signal.SIG_DFL)

    def _trains(self, frame: Any) -> bool:
        """Tell whether the interrupted frame is within the training."""
        while frame is not None and frame.f_code is not self._code:
            frame = frame.f_back
        return frame is not None

    def _agreed(self) -> int:
        """Return the signal that any rank has received; 0 if none has."""
        if self._saver is None:
            return 0
        asked = torch.tensor(int(self._asked))
        dist.all_reduce(asked, 'max')
        return int(asked)

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Stop after an iteration, if a rank has received the signal."""
        number = self._agreed()
        if not number:
            return
        if _accumulates(runner):
            return
        loop = runner.train_loop
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        if by_epoch and self.end_of_epoch(loop.dataloader, batch_idx):
            return  # other hooks first complete the epoch
        self._stop(
            runner,
            number,
            runner.epoch,
            runner.iter + 1,
            num_batches=batch_idx + 1 if by_epoch else 0,
            validated=by_epoch)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop after an epoch, if a rank has received the signal."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            number = self._agreed()
            if number and not _accumulates(runner):
                self._stop(
                    runner,
                    number,
                    runner.epoch + 1,
                    runner.iter,
                    validated=False)

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: Optional[dict] = None) -> None:
        """Stop after a validation, if a rank has received the signal."""
        number = self._agreed()
        if number:
            self._stop(runner, number, runner.epoch, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Restore the earlier signal handlers."""
        self._restore()

    def _restore(self) -> None:
        if self._saver is not None:
            for number, handler in self._previous.items():
                signal.signal(number, handler)
            self._saver = None

    def _stop(self,
              runner: Runner,
              number: int,
              epoch: int,
              iteration: int,
              num_batches: int = 0,
              validated: bool = True) -> NoReturn:
        assert self._saver is not None
        path = self._saver.save_interrupted(
            runner, dict(epoch=epoch, iter=iteration), num_batches, validated)
        runner.visualizer.close()
        runner.logger.warning(
            f'{signal.Signals(number).name}: the training stops after '
            f'iteration {iteration} and is saved to {path}; --resume goes on '
            'from there')
        # The launcher kills the other ranks as soon as one rank exits.
        dist.barrier()
        # A notebook lives on, where one Ctrl-C does not mean its end.
        signal.signal(signal.SIGINT, self._on_signal)
        # A queue can recognise it.
        raise SystemExit(128 + number)
