from typing import Optional

from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...fileio.folder_lock import FolderLock


@HOOKS.register_module()
class LockWorkDirHook(Hook):
    """Refuse to train in a work directory in which another run trains.

    The first rank holds the lock of all ranks (:class:`FolderLock`). It ends
    with the training or the process. Tests and other tools do not ask for
    it.

    Raises:
        ValueError: If another process trains there; on every rank.
    """

    # Before any hook that writes.
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self._lock: Optional[FolderLock] = None

    def before_train(self, runner: Runner) -> None:
        """Lock the work directory."""
        refusal: list[Optional[str]] = [None]
        if dist.is_main_process():
            self._lock = FolderLock(runner.work_dir)
            try:
                warning = self._lock.acquire()
            except ValueError as error:
                refusal, warning = [str(error)], None
            if warning:
                runner.logger.warning(warning)
        # Without this, the other ranks would wait for the first one.
        dist.broadcast_object_list(refusal)
        if refusal[0] is not None:
            raise ValueError(refusal[0])

    def after_run(self, runner: Runner) -> None:
        """Unlock it; later hooks write to the folder of this run only."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
