from typing import Any

from mmaction.registry import HOOKS
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class CheckDataHook(Hook):
    """Look for data that cannot be trained on, before the first step.

    Raises:
        ValueError: If the training set gives no batch, or a clip's label is
            none of the classifier's classes.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the loops' datasets against the model."""
        loader = runner.train_loop.dataloader
        self._check_batches(loader)
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        head = getattr(model, 'cls_head', None)
        if head is None:
            return
        self._check_labels(loader.dataset, head.num_classes)
        if runner.val_loop is not None:
            self._check_labels(runner.val_loop.dataloader.dataset,
                               head.num_classes)

    @staticmethod
    def _check_batches(loader: Any) -> None:
        endless = isinstance(loader.sampler, InfiniteSampler)
        if len(loader) == 0 and not endless:
            raise ValueError(
                f'there is nothing to train on: {len(loader.sampler)} clips '
                f'do not fill a batch of {loader.batch_size} and '
                'drop_last=True; use a smaller batch_size')

    @staticmethod
    def _check_labels(dataset: Any, num_classes: int) -> None:
        for name, label in getattr(dataset, 'labels', ()):
            if label is None:
                raise ValueError(f'clip {name!r} has no label, which a '
                                 'classifier needs')
            if not 0 <= label < num_classes:
                raise ValueError(
                    f'clip {name!r} has label {label}, but the classifier '
                    f'has num_classes={num_classes}: labels 0 to '
                    f'{num_classes - 1}')
