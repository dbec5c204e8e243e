import os.path as osp
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from .checkpoint_files import ATOMIC, AtomicLocalBackend
from .run_state import collect

INTERRUPTED = 'interrupted.pth'


class _RemovesLater:
    """A file backend that only notes what is to be removed."""

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
    """MMEngine's ``CheckpointHook``, whose files survive an interruption.

    A process that is killed, or a full disk, while a checkpoint is written
    leaves the earlier ones as they are: on the local disk a file is written
    under another name first, then ``last_checkpoint`` names it, and only
    then outdated ones are removed. So there has to be room for one
    checkpoint more than ``max_keep_ckpts`` and the best ones.

    The files hold MMEngine's state (weights, optimizer with the scaler of
    mixed precision, schedulers, message hub) and, as ``meta['run_state']``,
    the random states of all ranks and the sampler's seed; ``ResumeHook``
    takes them up.

    Args:
        args: The arguments of ``CheckpointHook``.
        kwargs: The same.
    """

    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Choose the way to the disk, and remove what is outdated."""
        super().before_train(runner)
        if type(self.file_backend) is LocalBackend:
            self.file_backend = AtomicLocalBackend()
            self.backend_args = dict(backend=ATOMIC)

    def save_interrupted(self, runner: Runner, meta: dict,
                         num_batches: int) -> str:
        """Save ``interrupted.pth``; every rank has to call it.

        It is removed as soon as the next regular checkpoint is written.

        Args:
            runner (Runner): The runner of the training.
            meta (dict): ``epoch`` and ``iter`` to go on from.
            num_batches (int): Batches the epoch has had since it began or
                was resumed.

        Returns:
            str: Path of the file.
        """
        return self._write(runner, INTERRUPTED, meta, num_batches)

    def _write(self,
               runner: Runner,
               filename: str,
               meta: dict,
               num_batches: int = 0) -> str:
        path = self.file_backend.join_path(self.out_dir, filename)
        self.last_ckpt = path
        runner.message_hub.update_info('last_ckpt', path)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(meta, run_state=collect(runner, num_batches)),
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
            # Should the removal not come to pass, that of the next run will.
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
        # An epoch that was run again writes over its own file.
        self._remove([path for path in outdated if path not in best])

    def _remove(self, paths: list[str]) -> None:
        if not is_main_process():
            return
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # as DeepSpeed writes them
                self.file_backend.rmtree(path)
