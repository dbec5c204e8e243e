from typing import Any, Optional

from mmaction.registry import HOOKS
from mmengine.hooks import LoggerHook
from mmengine.logging import MMLogger
from mmengine.runner import EpochBasedTrainLoop, Runner

from ...noise import shorten_terminal


@HOOKS.register_module()
class TerseLoggerHook(LoggerHook):
    """MMEngine's ``LoggerHook``, without the lines that say nothing new.

    It never repeats the name of the experiment, which the log's path has, and
    keeps some lists and warnings of MMEngine off the terminal. The log file
    has these.

    Args:
        epochs (int): In a training by epochs, write a line every ``interval``
            iterations of an epoch and at its end (1, the default), or only at
            the end of each epoch whose number this divides, and of the last.
            Curves have all points in either case.
        kwargs: The arguments of ``LoggerHook``.

    Raises:
        ValueError: If ``epochs`` is below 1.
    """

    def __init__(self, epochs: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if epochs < 1:
            raise ValueError(f'epochs={epochs} must be at least 1')
        self.epochs = epochs
        # Before MMEngine lists the hooks, it calls none of them.
        shorten_terminal(MMLogger.get_current_instance())

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Log every ``interval`` iterations, and at the end of an epoch."""
        ends = self.end_of_epoch(runner.train_dataloader, batch_idx)
        short = len(runner.train_dataloader) <= self.interval
        if not (self.every_n_inner_iters(batch_idx, self.interval) or
                (ends and (short or not self.ignore_last))):
            return
        tag, line = runner.log_processor.get_log_after_iter(
            runner, batch_idx, 'train')
        if self._is_due(runner, ends):
            runner.logger.info(line)
        runner.visualizer.add_scalars(
            tag, step=runner.iter + 1, file_path=self.json_log_path)

    def _is_due(self, runner: Runner, ends: bool) -> bool:
        """Tell whether the iteration gets a line."""
        if self.epochs == 1 or not isinstance(runner.train_loop,
                                              EpochBasedTrainLoop):
            return True
        return ends and (self.every_n_epochs(runner, self.epochs)
                         or runner.epoch + 1 == runner.max_epochs)
