import logging
from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...datasets.preparation import find_difference
from .check_weights_hook import source_of


@HOOKS.register_module()
class CheckPreparationHook(Hook):
    """Warn where clips are not prepared as those that an encoder learned from.

    The checkpoint says how its clips were prepared; another normalisation
    fits the same weights, and only the accuracy would tell.
    """

    def __init__(self) -> None:
        self._meta: Any = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember what the checkpoint says of its data."""
        self._meta = (checkpoint.get('meta') or {}).get('dataset_meta')

    def before_train(self, runner: Runner) -> None:
        """Compare with the training set."""
        self._compare(runner, runner.train_loop.dataloader)

    def before_test(self, runner: Runner) -> None:
        """Compare with the test set."""
        self._compare(runner, runner.test_loop.dataloader)

    def _compare(self, runner: Runner, loader: Any) -> None:
        metainfo = getattr(loader.dataset, 'metainfo', {})
        difference = find_difference(self._meta, metainfo.get('prepare'))
        if difference:
            print_log(f'{source_of(runner)}: {difference}', 'current',
                      logging.WARNING)
