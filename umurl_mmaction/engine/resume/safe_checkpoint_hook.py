import os.path as osp
from inspect import signature
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ...evaluation.metric_names import metric_names
from ...fileio.atomic import ATOMIC, AtomicLocalBackend, remove_leftovers
from ...models.utils.encoding import kinds_of
from ..unwrap import bare_model
from .run_state import collect

# The checkpoint of a run that SIGTERM stopped.
INTERRUPTED = 'interrupted.pth'


class _RemovesLater:
    """A file backend that records removals instead of removing files."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.removed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.removed.append(path)

    rmtree = remove


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """A ``CheckpointHook`` whose files survive an interruption.

    A kill or a full disk while a checkpoint is written does not harm the
    earlier checkpoints. On the local disk, the hook first writes the file
    under another name and renames it, then writes its path to
    ``last_checkpoint``, and only then removes outdated files. The disk
    therefore needs room for one checkpoint more than ``max_keep_ckpts`` and
    the best ones.

    ``meta['run_state']`` of the files holds the random states of all ranks
    and the sampler's seed, for ``ResumeHook``. The arguments are those of
    ``CheckpointHook``.

    Raises:
        TypeError: If an argument is unknown.
        ValueError: If ``save_best`` names a score that no validation gives;
            before the first step.
    """

    file_backend: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # MMEngine hands what it does not know to a call in the first epoch.
        for name in self.args:
            if name not in signature(Runner.save_checkpoint).parameters:
                raise TypeError(f'{type(self).__name__}.__init__() got an '
                                f'unexpected keyword argument {name!r}')

    def before_train(self, runner: Runner) -> None:
        """Check ``save_best``, and remove leftover files."""
        super().before_train(runner)
        self._check_save_best(runner)
        if type(self.file_backend) is LocalBackend:
            self.file_backend = AtomicLocalBackend()
            self.backend_args = dict(backend=ATOMIC)
            if is_main_process():
                for folder in (self.out_dir, runner.work_dir):
                    remove_leftovers(folder)

    def _check_save_best(self, runner: Runner) -> None:
        # A loop that is skipped has no evaluator.
        evaluator = getattr(runner.val_loop, 'evaluator', None)
        if not self.save_best or evaluator is None:
            return
        kinds = kinds_of(bare_model(runner).backbone)
        known = metric_names(evaluator.metrics, kinds)
        for name in self.key_indicators:
            if known and name != 'auto' and name not in known:
                raise ValueError(
                    f'save_best={name!r} is none of the scores of a '
                    f'validation, {", ".join(known)}')

    def save_interrupted(self, runner: Runner, meta: dict, num_batches: int,
                         validated: bool) -> str:
        """Save ``interrupted.pth``; every rank has to call this.

        The next regular checkpoint removes the file again.

        Args:
            runner (Runner): The runner of the training.
            meta (dict): ``epoch`` and ``iter`` to resume from.
            num_batches (int): As in :func:`collect`.
            validated (bool): As in :func:`collect`.

        Returns:
            str: The path of the file.
        """
        return self._write(runner, INTERRUPTED, meta, num_batches, validated)

    def _write(self,
               runner: Runner,
               filename: str,
               meta: dict,
               num_batches: int = 0,
               validated: bool = True) -> str:
        path = self.file_backend.join_path(self.out_dir, filename)
        self.last_ckpt = path
        runner.message_hub.update_info('last_ckpt', path)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(meta, run_state=collect(runner, num_batches, validated)),
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args)
        if is_main_process():
            AtomicLocalBackend().put_text(
                path, osp.join(runner.work_dir, 'last_checkpoint'))
        return path

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: dict) -> None:
        outdated = []
        hub = runner.message_hub
        if self.max_keep_ckpts > 0:
            kept = self.keep_ckpt_ids
            if not kept or kept[-1] != step:
                if len(kept) == self.max_keep_ckpts:
                    outdated.append(kept.popleft())
                kept.append(step)
            # If this run dies before the removal, the next run removes it.
            hub.update_info('keep_ckpt_ids', [*outdated, *kept])
        self._write(runner, self.filename_tmpl.format(step), meta)
        self._remove([
            *(self.file_backend.join_path(self.out_dir,
                                          self.filename_tmpl.format(old))
              for old in outdated),
            self.file_backend.join_path(self.out_dir, INTERRUPTED)
        ])
        if self.max_keep_ckpts > 0:
            hub.update_info('keep_ckpt_ids', list(kept))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        backend = self.file_backend
        self.file_backend = _RemovesLater(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
            outdated = self.file_backend.removed
        finally:
            self.file_backend = backend
        best = [
            getattr(self, 'best_ckpt_path', None),
            *getattr(self, 'best_ckpt_path_dict', {}).values()
        ]
        # An epoch that runs again overwrites its own file.
        self._remove([path for path in outdated if path not in best])

    def _remove(self, paths: list[str]) -> None:
        if not is_main_process():
            return
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # DeepSpeed writes folders
                self.file_backend.rmtree(path)
