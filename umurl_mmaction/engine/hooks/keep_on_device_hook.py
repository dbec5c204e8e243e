from collections.abc import Sequence
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...datasets.skeleton_dataset import SkeletonDataset
from ...datasets.transforms.formatting import PackIndex, PackSkeletonInputs
from ...skeleton.batch import PackedClips, pack_clips
from ..unwrap import bare_model


@HOOKS.register_module()
class KeepOnDeviceHook(Hook):
    """Keep the whole training set on the model's device.

    The loader then gives indices only, and no clip is copied to the device
    twice. The set must fit: NTU RGB+D 120 takes about 3 GB in float32. The
    training pipeline must be ``PackSkeletonInputs`` with ``ragged=True``, and
    nothing else: each clip is read once.

    Raises:
        ValueError: If the data preprocessor makes no views, the training set
            is no ``SkeletonDataset``, or its pipeline does more than to pack.
    """

    def before_train(self, runner: Runner) -> None:
        """Copy the set to the device and replace the pipeline."""
        model = bare_model(runner)
        preprocessor = model.data_preprocessor
        if getattr(preprocessor, 'views', None) is None:
            raise ValueError('KeepOnDeviceHook wants views that are made on '
                             'the device: set model.data_preprocessor.views')
        dataset = runner.train_dataloader.dataset
        if not isinstance(dataset, SkeletonDataset):
            raise ValueError('KeepOnDeviceHook wants a SkeletonDataset to '
                             f'train on, got {type(dataset).__name__}')
        self._check_pipeline(dataset.pipeline.transforms)
        num_person = model.backbone.input_shape[0]
        clips = pack_clips([
            torch.from_numpy(dataset.get_data_info(i)['keypoint'][:num_person])
            for i in range(len(dataset))
        ])
        # Views are made in float32: once, not of the whole set at each step.
        clips = clips._replace(frames=clips.frames.float())
        dataset.pipeline = PackIndex()
        preprocessor.kept = PackedClips(
            *(field.to(preprocessor.device) for field in clips))
        size = clips.frames.numel() * clips.frames.element_size()
        print_log(
            f'{len(dataset)} clips are kept on {preprocessor.device}: '
            f'{size / 2**20:.0f} MiB', 'current')

    @staticmethod
    def _check_pipeline(transforms: Sequence[Any]) -> None:
        others = [
            type(x).__name__ for x in transforms
            if not (isinstance(x, PackSkeletonInputs) and x.ragged)
        ]
        if others or len(transforms) != 1:
            raise ValueError(
                'KeepOnDeviceHook wants a pipeline of PackSkeletonInputs with '
                f'ragged=True alone, got also {others}: put transforms of '
                'whole clips into prepare of the dataset, and augmentations '
                'into model.data_preprocessor.views')
