from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine import dist
from mmengine.logging import MessageHub
from mmengine.model import BaseDataPreprocessor
from torch import Generator, Tensor

from ...skeleton.packed import PackedClips, pack_clips


@MODELS.register_module()
class SkeletonDataPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the model's device and makes it a float32 tensor.

    ``inputs`` of N samples may be one array a sample, a list of views, or a
    dict of modality streams; each becomes (N, ...). With ``views``, clips of
    different lengths become the views of pre-training, on the device and in
    few kernels for the whole batch.

    During training by MMEngine's Runner the views are drawn from a generator
    that is fixed by the seed, the epoch, the iteration and the rank.

    Args:
        views (dict, optional): A ``SkeletonMultiView``. Batches that hold
            views already are left as they are.
        num_person (int): Bodies M of the views. Defaults to 2.
        non_blocking (bool): Do not wait for the copy to the device; for
            dataloaders with ``pin_memory``. Defaults to False.

    Attributes:
        kept (PackedClips | None): The whole set on the device, where
            ``KeepOnDeviceHook`` puts it; batches are then indices (N, ).
    """

    def __init__(self,
                 views: Optional[dict] = None,
                 num_person: int = 2,
                 non_blocking: bool = False) -> None:
        super().__init__(non_blocking=non_blocking)
        self.views = TRANSFORMS.build(views) if views else None
        self.num_person = num_person
        self.kept: Optional[PackedClips] = None

    def forward(self, data: dict, training: bool = False) -> dict:
        """Stack the samples of a batch, or make its views.

        Args:
            data (dict): ``inputs`` as collated by MMEngine's
                ``pseudo_collate`` (lists of N tensors, in a list or dict for
                views and streams) or by ``pack_collate``, and
                ``data_samples``.
            training (bool): Unused. Defaults to False.

        Returns:
            dict: ``data`` with float32 tensors (N, ...) in ``inputs``.

        Raises:
            ValueError: If clips of different lengths are given, but no
                ``views``.
        """
        inputs = self._batch(self.cast_data(data['inputs']))
        if self.views is None:
            data = {
                key: self.cast_data(value)
                for key, value in data.items() if key != 'inputs'
            }
        # The method needs no labels: copying them one by one costs more than
        # copying the clips.
        return dict(data, inputs=inputs)

    @torch.compiler.disable
    def make_views(self, clips: PackedClips) -> list[Tensor]:
        """The views of clips, float32: (N, M, clip_len, V, C) each."""
        if self.views is None:
            raise ValueError('clips of different lengths were given, but '
                             'model.data_preprocessor has no views to make '
                             'of them, and the pipeline makes none')
        with torch.autocast(clips.frames.device.type, enabled=False):
            views = self.views.batch(clips, self.num_person,
                                     self._generator(clips.frames.device))
            return [view.float() for view in views]

    def _batch(self, inputs: Any) -> Any:
        if isinstance(inputs, PackedClips):
            return self.make_views(inputs)
        if self.kept is not None and self._are_indices(inputs):
            return self.make_views(self.kept.select(inputs))
        if isinstance(inputs, dict):
            return {key: self._batch(value) for key, value in inputs.items()}
        if isinstance(inputs, Tensor):
            return inputs.float()
        if isinstance(inputs[0], Tensor):
            return self._stack(inputs)
        # Views that the pipeline has made, no clips to make views of.
        return [torch.stack(tuple(view)).float() for view in inputs]

    def _stack(self, samples: Sequence[Tensor]) -> Any:
        if self.views is not None and samples[0].dim() == 4:
            return self.make_views(pack_clips(samples))
        return torch.stack(tuple(samples)).float()

    @staticmethod
    def _are_indices(inputs: Any) -> bool:
        return isinstance(inputs, Tensor) and inputs.dtype == torch.long

    @staticmethod
    def _generator(device: torch.device) -> Optional[Generator]:
        """Fixed by where the training stands, so that a resumed run draws
        what the uninterrupted one would have."""
        hub = MessageHub.get_current_instance()
        if hub.get_info('loop_stage') != 'train':
            return None
        place = [hub.get_info(key) for key in ('seed', 'epoch', 'iter')]
        sequence = np.random.SeedSequence([*place, dist.get_rank()])
        state = int(sequence.generate_state(1, np.uint64)[0])
        return Generator(device).manual_seed(state)
