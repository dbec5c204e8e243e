import os.path as osp
from typing import Any, Optional

import torch
from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.checkpoint import find_latest_checkpoint

from ...datasets.sample_seed import PassSampler, inner_sampler, number_passes
from ...fileio.checkpoints import weights_of
from .run_state import (
    batch_size_of_all_ranks,
    random_state,
    set_random_state,
)
from .whole_checkpoints import damage_of, newest_good


def _check_file(path: str, work_dir: str) -> None:
    """Raise ``ValueError`` if a local file cannot be resumed from."""
    if '://' in path or osp.isdir(path):
        return
    file = osp.expanduser(path)
    damage = damage_of(file)
    if damage is None:
        return
    raise ValueError(f'cannot resume: {path!r} {damage}; '
                     f'{_advice(path, work_dir)}')


def _advice(path: str, work_dir: str) -> str:
    """Name the newest checkpoint that can be resumed."""
    # `last_checkpoint` may name a folder that was moved since.
    folder = osp.dirname(osp.abspath(osp.expanduser(path)))
    good = newest_good(folder, work_dir)
    if good is None:
        return 'there is no good checkpoint beside it'
    return f'the newest good checkpoint is {str(good)!r}'


@HOOKS.register_module()
class ResumeHook(Hook):
    """Let a resumed run continue as if it had never been interrupted.

    With a checkpoint of ``SafeCheckpointHook``, and on a deterministic
    device, losses and weights equal those of an uninterrupted run, bit for
    bit:

    - A run that was stopped right before a validation starts with it.
    - The hook restores the random states of Python, NumPy, torch and the
      GPU, separately for each rank. Ranks that the first run did not have
      keep the states of their seed. A validation does not change the random
      states, because a resumed run does not repeat it.
    - The sampler gets the seed of its order back, even if the config sets no
      seed.
    - The random numbers of a sample in a ``SkeletonDataset`` depend on that
      seed, the epoch and the sample's index, but not on the worker (see
      ``datasets/sample_seed.py``). In an iteration-based loop, the epoch is
      the number of the pass over the set. A dataset wrapper passes plain
      indices on, so the random numbers behind it depend on the worker.
    - An epoch-based training that stopped within an epoch continues with the
      next batch and does not load the earlier ones. With another batch size
      or number of ranks, the last of the earlier batches may come again.
      MMEngine alone would run the whole epoch again. An iteration-based
      training loads the earlier batches, as MMEngine does.

    A checkpoint without these states resumes at the start of an epoch, as in
    MMEngine.

    Raises:
        ValueError: If the file to resume from is missing, cut off, damaged
            or without the state of an optimizer. The message names the newest
            good file.
    """

    # After hooks that prepare a training, before hooks that save it.
    priority = 'LOW'

    def __init__(self) -> None:
        self._path = ''
        self._state: dict[str, Any] = {}
        self._sampler: Optional[PassSampler] = None

    def before_run(self, runner: Runner) -> None:
        """Check the file before MMEngine loads it."""
        if runner._resume and not runner._has_loaded:
            path = runner._load_from
            if path is None:
                path = find_latest_checkpoint(runner.work_dir)
            if path is not None:
                _check_file(path, runner.work_dir)
                self._path = path

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the states to restore, and drop an empty loss scaler."""
        weights_of(checkpoint, self._path or str(runner._load_from))
        if self._path and 'optimizer' not in checkpoint:
            raise ValueError(
                f'cannot resume: {self._path!r} holds no state of an '
                f'optimizer; {_advice(self._path, runner.work_dir)}; to start '
                'anew from its weights, set load_from without --resume')
        self._path = ''
        self._state = checkpoint.get('meta', {}).get('run_state', {})
        optimizer = checkpoint.get('optimizer', {})
        # A disabled scaler, as on the CPU: an enabled one refuses its state.
        if optimizer.get('loss_scaler') == {}:
            del optimizer['loss_scaler']

    def before_train(self, runner: Runner) -> None:
        """Prepare the loader, and restore the random states."""
        # `load_from` without `resume` loads weights only.
        state = self._state if runner.iter else {}
        self._state = {}
        loader = runner.train_loop.dataloader
        # A loader without persistent workers draws a number in each epoch.
        # Its own generator keeps the global one, which is saved, unchanged.
        loader.generator = torch.Generator()
        sampler = inner_sampler(loader)
        if 'sampler_seed' in state and hasattr(sampler, 'seed'):
            sampler.seed = state['sampler_seed']
        self._sampler = number_passes(loader,
                                      getattr(sampler, 'seed', runner.seed))
        self._samples = state.get('samples', 0)
        self._validated = state.get('validated', True)
        states = state.get('random', [])
        if dist.get_rank() < len(states):
            set_random_state(states[dist.get_rank()])

    def before_train_epoch(self, runner: Runner) -> None:
        """Number the epoch, and skip the batches before the interruption."""
        self._make_up_validation(runner)
        if self._sampler is None:
            return
        loop = runner.train_loop
        loader = loop.dataloader
        if not isinstance(loop, EpochBasedTrainLoop):
            # The iterator is as old as the loop: it has already begun to load
            # plain indices.
            loader._iterator = None
            loop.dataloader_iterator = type(loop.dataloader_iterator)(loader)
            return
        # Without skipped samples, `len` is that of a whole epoch.
        self._sampler.start(runner.epoch)
        whole = len(loader)
        had = self._samples // batch_size_of_all_ranks(loader)
        self._samples = 0
        if had:
            self._sampler.start(runner.epoch,
                                had * loader.batch_sampler.batch_size)
            runner.logger.info(f'epoch {runner.epoch + 1} goes on after '
                               f'{had} of {whole} batches')

    def after_train(self, runner: Runner) -> None:
        """Make up for the validation of a run that stopped at its end."""
        self._make_up_validation(runner)

    def _make_up_validation(self, runner: Runner) -> None:
        """Run the validation that the stop has left out, if one was due."""
        if self._validated:
            return
        self._validated = True
        loop = runner.train_loop
        loop._decide_current_val_interval()
        step, last = (
            (runner.epoch, loop.max_epochs)
            if isinstance(loop, EpochBasedTrainLoop) else
            (runner.iter, loop.max_iters))
        if (runner.val_loop is not None and step >= loop.val_begin
                and (step % loop.val_interval == 0 or step == last)):
            runner.val_loop.run()

    def before_val(self, runner: Runner) -> None:
        """Keep the random states of the training."""
        self._random = random_state()

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: Optional[dict] = None) -> None:
        """Restore the random states before the best checkpoint is saved."""
        set_random_state(self._random)
