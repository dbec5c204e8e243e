from typing import Any

from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class CheckDataHook(Hook):
    """Look for data that cannot be worked on, before the first step.

    Raises:
        ValueError: If the training set gives no batch, or pre-training one of
            a single clip; if a clip's joints or coordinates are not those of
            the encoder; if a clip's label is none of the classifier's
            classes, or missing where accuracy is asked for.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the loops' datasets against the model."""
        loader = runner.train_loop.dataloader
        model = self._model(runner)
        self._check_batches(loader)
        if hasattr(model, 'project'):
            self._check_smallest_batch(loader)
        datasets = [loader.dataset]
        if runner.val_loop is not None:
            datasets.append(runner.val_loop.dataloader.dataset)
        head = getattr(model, 'cls_head', None)
        for dataset in datasets:
            self._check_shapes(dataset, model)
            if head is not None:
                self._check_labels(dataset, head.num_classes)

    def before_test(self, runner: Runner) -> None:
        """Check the test set against the model."""
        model = self._model(runner)
        dataset = runner.test_loop.dataloader.dataset
        self._check_shapes(dataset, model)
        if runner.test_loop.evaluator.metrics:
            head = getattr(model, 'cls_head', None)
            self._check_labels(dataset, getattr(head, 'num_classes', None))

    @staticmethod
    def _model(runner: Runner) -> Any:
        model = runner.model
        return model.module if is_model_wrapper(model) else model

    @staticmethod
    def _check_batches(loader: Any) -> None:
        endless = isinstance(loader.sampler, InfiniteSampler)
        if len(loader) == 0 and not endless:
            raise ValueError(
                f'there is nothing to train on: {len(loader.sampler)} clips '
                f'do not fill a batch of {loader.batch_size} and '
                'drop_last=True; use a smaller batch_size')

    @staticmethod
    def _check_smallest_batch(loader: Any) -> None:
        if isinstance(loader.sampler, InfiniteSampler):
            smallest = loader.batch_size
        else:
            rest = len(loader.sampler) % loader.batch_size
            smallest = loader.batch_size
            if rest and not loader.drop_last:
                smallest = rest
        if smallest * dist.get_world_size() < 2:
            raise ValueError(
                f'batch_size={loader.batch_size} and {len(loader.sampler)} '
                'clips give a batch of one clip, over which no variance is '
                'defined: set batch_size to 2 or more and drop_last=True')

    @staticmethod
    def _check_shapes(dataset: Any, model: Any) -> None:
        wanted = getattr(
            getattr(model, 'backbone', None), 'input_shape', None)
        shapes = getattr(dataset, 'shapes', ())
        if wanted is None:
            return
        num_person, _, num_joints, num_coords = wanted
        for (name, _), shape in zip(getattr(dataset, 'labels', ()), shapes):
            if shape[2:] != (num_joints, num_coords):
                raise ValueError(
                    f'clip {name!r} has keypoint {shape}, the encoder wants '
                    f'(M, T, {num_joints}, {num_coords}): bodies, frames, '
                    'joints, coordinates')
        crowded = [i for i, shape in enumerate(shapes)
                   if shape[0] > num_person]
        if crowded:
            print_log(
                f'{len(crowded)} of {len(shapes)} clips have more than '
                f'num_person={num_person} bodies, such as '
                f'{dataset.labels[crowded[0]][0]!r}: the first '
                f'{num_person} are used', 'current')

    @staticmethod
    def _check_labels(dataset: Any, num_classes: Any) -> None:
        for name, label in getattr(dataset, 'labels', ()):
            if label is None:
                raise ValueError(f'clip {name!r} has no label, which a '
                                 'classifier and its accuracy need')
            if num_classes is not None and not 0 <= label < num_classes:
                raise ValueError(
                    f'clip {name!r} has label {label}, but the classifier '
                    f'has num_classes={num_classes}: labels 0 to '
                    f'{num_classes - 1}')
