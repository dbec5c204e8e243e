from typing import Any, Optional, Union

import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ...registry import mmaction_scope
from ...skeleton.batch import (
    ClipIndices,
    PackedClips,
    Streams,
    Views,
    fit_bodies,
)
from ...skeleton.layout import LAYOUTS, Layout
from ..utils.step_generator import step_generator


@MODELS.register_module()
class SkeletonDataPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the model's device, as float32 tensors.

    The type of ``inputs`` (``skeleton/batch.py``) decides. Joints, views or
    streams are stacked to (N, ...); missing bodies become zeros. Packed
    clips, or indices of clips that are kept on the device, become the views
    of pre-training, in few kernels for the whole batch.

    In a training by MMEngine's Runner, any number of ranks makes the same
    views of a batch: :func:`step_generator` draws them.

    Args:
        views (dict, optional): A ``SkeletonMultiView`` that makes views of
            packed clips. Defaults to None.
        non_blocking (bool): Do not wait for the copy to the device; for
            dataloaders with ``pin_memory``. Defaults to False.

    Attributes:
        kept (PackedClips | None): The training set on the device, set by
            ``KeepOnDeviceHook``.
    """

    def __init__(self,
                 views: Optional[dict] = None,
                 non_blocking: bool = False) -> None:
        super().__init__(non_blocking=non_blocking)
        self.views: Any = None
        if views:
            with mmaction_scope():
                self.views = TRANSFORMS.build(views)
        self.num_person = 2
        self.kept: Optional[PackedClips] = None

    def fit_views(self,
                  num_views: int,
                  input_shape: tuple[int, int, int, int],
                  layout: Layout = LAYOUTS['nturgb+d']) -> None:
        """Fit the views to a model.

        Args:
            num_views (int): Views of a clip.
            input_shape (tuple[int]): (M, T, V, C) of the encoder.
            layout (Layout): Layout of the encoder. Defaults to
                ``'nturgb+d'``.

        Raises:
            ValueError: If ``views`` makes another number of views.
        """
        self.num_person = input_shape[0]
        if self.views is not None:
            self.views.fit(num_views, input_shape[1], layout)

    # Packed clips vary in size: torch.compile would compile every batch.
    @torch.compiler.disable
    def forward(self, data: dict, training: bool = False) -> dict:
        """Stack the samples of a batch, or make its views.

        Args:
            data (dict): ``inputs`` and ``data_samples``, as collated by
                ``pack_collate`` or MMEngine's ``pseudo_collate``.
            training (bool): Whether to augment packed clips. Defaults to
                False.

        Returns:
            dict: ``data`` with float32 tensors (N, ...) in ``inputs``.

        Raises:
            ValueError: If packed clips are given, but no ``views``.
        """
        inputs = self._prepare(data['inputs'], training)
        # Views need no labels, and copying labels one by one is slow.
        if self.views is None or not training:
            rest = {key: data[key] for key in data if key != 'inputs'}
            data = self.cast_data(rest)
        return dict(data, inputs=inputs)

    def _prepare(self, inputs: Any, training: bool) -> Any:
        if isinstance(inputs, Streams):
            return Streams(
                {name: self._stack(x)
                 for name, x in inputs.items()})
        if isinstance(inputs, Views):
            return Views([self._stack(view) for view in inputs])
        if isinstance(inputs, ClipIndices):
            if self.kept is None:
                raise ValueError('indices of clips were given, but no clips '
                                 'are kept on the device; use '
                                 'KeepOnDeviceHook')
            indices = self.cast_data(inputs.indices)
            return self.make_views(self.kept.select(indices), training)
        if isinstance(inputs, PackedClips):
            return self.make_views(self.cast_data(inputs), training)
        return self._stack(inputs)

    def make_views(self, clips: PackedClips,
                   training: bool) -> Union[Views, Tensor]:
        """Make views in training; otherwise resize whole clips.

        Args:
            clips (PackedClips): N clips on the model's device.
            training (bool): Whether to make augmented views.

        Returns:
            Views | Tensor: Views (N, M, clip_len, V, C), or whole clips (N,
            1, M, clip_len, V, C); float32.

        Raises:
            ValueError: If the preprocessor has no ``views``.
        """
        if self.views is None:
            raise ValueError('clips of different lengths were given, but '
                             'model.data_preprocessor has no views to make '
                             'of them, and the pipeline makes none')
        with torch.autocast(clips.frames.device.type, enabled=False):
            if not training:
                return self.views.resize(clips, self.num_person).unsqueeze(1)
            generator = step_generator(
                len(clips.num_frames), clips.num_frames.device)
            views = self.views.batch(clips, self.num_person, generator)
            return Views([view.float() for view in views])

    def _stack(self, samples: Any) -> Tensor:
        """Stack samples (..., M, T, V, C), or a batch, to float32."""
        samples = self.cast_data(samples)
        if isinstance(samples, Tensor):
            return samples.float()
        if samples[0].ndim > 3:
            num_person = max(sample.shape[-4] for sample in samples)
            samples = [fit_bodies(sample, num_person) for sample in samples]
        return torch.stack(tuple(samples)).float()
