import logging

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner


@HOOKS.register_module()
class CheckStepsHook(Hook):
    """Warn before a run that is too short to learn anything.

    Args:
        min_iters (int): Fewest steps without a warning. Defaults to 1000:
            the encoders of ``configs/umurl/README.md`` gain most of what
            they gain in as many.
    """

    def __init__(self, min_iters: int = 1000) -> None:
        self.min_iters = min_iters

    def before_train(self, runner: Runner) -> None:
        """Compare the number of steps of the whole run."""
        if runner.max_iters >= self.min_iters:
            return
        loader = runner.train_loop.dataloader
        print_log(
            f'This run has {runner.max_iters} steps, on '
            f'{len(loader.dataset)} clips in batches of {loader.batch_size}: '
            f'an encoder learns little in fewer than {self.min_iters}. Small '
            "sets want more epochs, or train_cfg of type 'PassesTrainLoop', "
            'which counts steps',
            'current',
            level=logging.WARNING)
