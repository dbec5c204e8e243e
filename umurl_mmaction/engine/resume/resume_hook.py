import os.path as osp
from typing import Any, Optional

import torch
from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.checkpoint import find_latest_checkpoint

from ...datasets.sample_seed import PassSampler, inner_sampler, number_passes
from .checkpoint_files import damage_of, newest_good
from .run_state import (
    batch_size_of_all_ranks,
    random_state,
    set_random_state,
)


def _check_file(path: str, work_dir: str) -> None:
    """Raise ``ValueError`` if a local file cannot be resumed from."""
    if '://' in path or osp.isdir(path):
        return
    file = osp.expanduser(path)
    damage = damage_of(file)
    if damage is None:
        return
    # The folder may have been moved since its name was noted.
    good = newest_good(osp.dirname(osp.abspath(file)), work_dir)
    advice = (f'the newest good checkpoint is {str(good)!r}'
              if good else 'there is no good checkpoint beside it')
    raise ValueError(f'cannot resume: {path!r} {damage}; {advice}')


@HOOKS.register_module()
class ResumeHook(Hook):
    """Let a resumed run go on as if it had never been interrupted.

    With a checkpoint of ``SafeCheckpointHook``, and on a device that
    computes the same twice, its losses and weights are those of an
    uninterrupted run, bit for bit:

    - The random states of Python, NumPy, torch and the GPU are restored,
      each rank's its own; further ranks keep those of their seed. A
      validation leaves them as they were: it is not repeated on resuming.
    - The sampler takes up the seed of its order, also if none was set.
    - What a ``SkeletonDataset`` draws for a sample depends on that seed, the
      epoch and the sample's index, and on no worker (see
      ``datasets/sample_seed.py``). In iteration-based loops the epoch is the
      number of the pass over the set. Inside wrappers of datasets, which
      hand on plain indices, draws are the workers' as ever.
    - An epoch-based training that was stopped within an epoch goes on with
      the next batch; those that it has had are not loaded. With another
      batch size or number of ranks the last ones of them may come again.
      (MMEngine alone would run the epoch once more from its start.) An
      iteration-based one loads them to get there, as MMEngine does.

    A checkpoint without these states is resumed as MMEngine does, from the
    start of an epoch.

    Raises:
        ValueError: If the file to resume from is missing, cut off or
            damaged; it names the newest good one.
    """

    # After those that prepare a training, before those that save it.
    priority = 'LOW'

    def __init__(self) -> None:
        self._state: dict[str, Any] = {}
        self._sampler: Optional[PassSampler] = None

    def before_run(self, runner: Runner) -> None:
        """Look at the file before anything is done with it."""
        if runner._resume and not runner._has_loaded:
            path = runner._load_from
            if path is None:
                path = find_latest_checkpoint(runner.work_dir)
            if path is not None:
                _check_file(path, runner.work_dir)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what is to be restored, drop what cannot be."""
        self._state = checkpoint.get('meta', {}).get('run_state', {})
        optimizer = checkpoint.get('optimizer', {})
        # A switched-off scaler, as on the CPU, which others refuse.
        if optimizer.get('loss_scaler') == {}:
            del optimizer['loss_scaler']

    def before_train(self, runner: Runner) -> None:
        """Prepare the loader and restore the states."""
        # Weights alone may have been loaded to start from.
        state = self._state if runner.iter else {}
        self._state = {}
        loader = runner.train_loop.dataloader
        # Iterating draws a number, unless the workers persist: from a
        # generator of its own, not from the one that is saved.
        loader.generator = torch.Generator()
        sampler = inner_sampler(loader)
        if 'sampler_seed' in state and hasattr(sampler, 'seed'):
            sampler.seed = state['sampler_seed']
        self._sampler = number_passes(loader,
                                      getattr(sampler, 'seed', runner.seed))
        self._samples = state.get('samples', 0)
        states = state.get('random', [])
        if dist.get_rank() < len(states):
            set_random_state(states[dist.get_rank()])

    def before_train_epoch(self, runner: Runner) -> None:
        """Number the epoch, and leave out the batches it has had."""
        if self._sampler is None:
            return
        loop = runner.train_loop
        loader = loop.dataloader
        if not isinstance(loop, EpochBasedTrainLoop):
            # Made with the loop, it has begun to load by plain indices.
            loader._iterator = None
            loop.dataloader_iterator = type(loop.dataloader_iterator)(loader)
            return
        # `len` is to be that of a whole epoch.
        self._sampler.start(runner.epoch)
        whole = len(loader)
        had = self._samples // batch_size_of_all_ranks(loader)
        self._samples = 0
        if had:
            self._sampler.start(runner.epoch,
                                had * loader.batch_sampler.batch_size)
            runner.logger.info(f'epoch {runner.epoch + 1} goes on after '
                               f'{had} of {whole} batches')

    def before_val(self, runner: Runner) -> None:
        """Keep the random states."""
        self._random = random_state()

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: Optional[dict] = None) -> None:
        """Restore them, before the best checkpoint is saved."""
        set_random_state(self._random)
