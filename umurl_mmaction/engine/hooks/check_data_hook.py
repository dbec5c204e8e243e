import logging
from difflib import get_close_matches
from inspect import signature
from typing import Any

from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.nn import ModuleDict

from ...datasets.transforms import SkeletonMultiView
from ..unwrap import bare_dataset, bare_model


@HOOKS.register_module()
class CheckDataHook(Hook):
    """Refuse data that the model cannot use, before the first step.

    Views that workers make get the number, length and layout of the model.
    Pre-training leaves out the last batch of an epoch if it is a single clip,
    over which no variance is defined. The log says so in one line, and warns
    of a classifier with more classes than the training set, and of gradients
    that are accumulated over batches which the terms compare one by one.

    Raises:
        ValueError: If a setting's name is almost that of one that MMEngine
            knows; if there is no batch, or pre-training gets batches of one
            clip or of another number of views; if the neck or the classifier
            takes other channels than the encoder gives; if the data have other
            joints, coordinates or parents than the encoder; if a label is not
            one of the classifier's classes, or is missing where accuracy is
            measured.
    """

    def before_run(self, runner: Runner) -> None:
        """Look for misspelt settings, which MMEngine passes over."""
        known = [*signature(Runner.__init__).parameters, 'compile']
        for name in runner.cfg:
            meant = get_close_matches(name, known, n=1, cutoff=0.87)
            if meant and name not in known:
                raise ValueError(f'the setting {name!r} has no use; is '
                                 f'{meant[0]!r} meant?')

    def before_train(self, runner: Runner) -> None:
        """Check the loops' datasets against the model."""
        loader = runner.train_loop.dataloader
        model = bare_model(runner)
        self._check_batches(loader)
        self._check_channels(model)
        if hasattr(model, 'project'):
            self._leave_out_single_clip(loader)
            self._fit_views(bare_dataset(loader.dataset), model)
            self._warn_of_accumulation(runner.optim_wrapper, loader, model)
        datasets = [bare_dataset(loader.dataset)]
        if runner.val_loop is not None:
            datasets.append(bare_dataset(runner.val_loop.dataloader.dataset))
        head = getattr(model, 'cls_head', None)
        for dataset in datasets:
            self._check_shapes(dataset, model)
            self._check_layout(dataset, model)
            if head is not None:
                self._check_labels(dataset, head.num_classes)
        if head is not None:
            self._warn_of_unused_classes(datasets[0], head.num_classes)

    def before_test(self, runner: Runner) -> None:
        """Check the test set against the model."""
        model = bare_model(runner)
        self._check_channels(model)
        dataset = bare_dataset(runner.test_loop.dataloader.dataset)
        self._check_shapes(dataset, model)
        self._check_layout(dataset, model)
        if runner.test_loop.evaluator.metrics:
            head = getattr(model, 'cls_head', None)
            self._check_labels(dataset, getattr(head, 'num_classes', None))

    @staticmethod
    def _check_channels(model: Any) -> None:
        """Compare what the encoder gives with what comes after it."""
        given = getattr(model.backbone, 'out_channels', None)
        necks = getattr(model, 'neck', None)
        parts = {'model.cls_head': getattr(model, 'cls_head', None)}
        # Projectors of levels take their channels from the encoder.
        if isinstance(necks, ModuleDict) and not hasattr(model, 'levels'):
            parts['model.neck'] = next(iter(necks.values()))
        for name, part in parts.items():
            taken = getattr(part, 'in_channels', given)
            if None not in (given, taken) and given != taken:
                raise ValueError(
                    f'{name}.in_channels={taken} must be {given}, the '
                    'channels of the feature that model.backbone gives')

    @staticmethod
    def _check_batches(loader: Any) -> None:
        endless = isinstance(loader.sampler, InfiniteSampler)
        if len(loader) == 0 and not endless:
            raise ValueError(
                f'there is nothing to train on: {len(loader.sampler)} clips '
                f'do not fill a batch of {loader.batch_size} and '
                'drop_last=True; use a smaller batch_size')

    @staticmethod
    def _leave_out_single_clip(loader: Any) -> None:
        """Keep the last, smaller batch unless it is a single clip."""
        clips, world_size = loader.batch_size, dist.get_world_size()
        if clips * world_size < 2:
            raise ValueError(
                f'batch_size={clips} gives batches of one clip, over which no '
                'variance is defined: set it to 2 or more')
        if isinstance(loader.sampler, InfiniteSampler) or loader.drop_last:
            return
        # The batches of all ranks meet, so that one clip of each is enough.
        if (len(loader.sampler) % clips) * world_size == 1:
            if len(loader.sampler) == 1:
                raise ValueError('there is one clip to train on; pre-training '
                                 'wants a batch of two or more')
            print_log(
                f'The last batch of {len(loader.sampler)} clips would be a '
                'single clip, over which no variance is defined: each epoch '
                'leaves out one clip', 'current')
            loader.batch_sampler.drop_last = True

    @staticmethod
    def _fit_views(dataset: Any, model: Any) -> None:
        """Let workers make the views that the model takes."""
        pipeline = getattr(dataset, 'pipeline', None)
        for transform in getattr(pipeline, 'transforms', ()):
            if isinstance(transform, SkeletonMultiView):
                transform.fit(model.num_views, model.backbone.input_shape[1],
                              model.backbone.layout)

    @staticmethod
    def _warn_of_accumulation(wrapper: Any, loader: Any, model: Any) -> None:
        count = getattr(wrapper, '_accumulative_counts', 1)
        interval = getattr(model, 'update_interval', count)
        if count > 1:
            print_log(
                f'optim_wrapper.accumulative_counts={count}: the terms '
                f'compare the {loader.batch_size * dist.get_world_size()} '
                'clips of a batch, which no accumulation makes more',
                'current', logging.WARNING)
        if count != interval:
            print_log(
                f'model.update_interval={interval}, but the weights change '
                f'every {count} batches: set model.update_interval={count}',
                'current', logging.WARNING)

    @staticmethod
    def _check_shapes(dataset: Any, model: Any) -> None:
        wanted = getattr(model.backbone, 'input_shape', None)
        shapes = getattr(dataset, 'shapes', None)
        if wanted is None or shapes is None:
            return
        num_person, _, num_joints, num_coords = wanted
        for (name, _), shape in zip(dataset.labels, shapes):
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
    def _check_layout(dataset: Any, model: Any) -> None:
        data_layout = getattr(dataset, 'layout', None)
        layout = getattr(model.backbone, 'layout', None)
        if data_layout is None or layout is None:
            return
        if data_layout.parents != layout.parents:
            raise ValueError(
                f'{dataset.ann_file!r} describes the skeleton '
                f'{data_layout.name!r}, but the encoder has the layout '
                f'{layout.name!r} with other parents: leave out '
                'model.backbone.graph_cfg and set model.backbone.ann_file')

    @staticmethod
    def _warn_of_unused_classes(dataset: Any, num_classes: int) -> None:
        known = getattr(dataset, 'metainfo', {}).get('num_classes')
        if known is not None and known < num_classes:
            print_log(
                f'The classifier has num_classes={num_classes}, but '
                f'{dataset.ann_file!r} has only {known} classes: set '
                f'model.cls_head.num_classes={known}', 'current',
                logging.WARNING)

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
