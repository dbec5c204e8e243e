from typing import Any, Optional, Union

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

    # Every batch of raw clips has another size: not for torch.compile.
    @torch.compiler.disable
    def forward(self, data: dict, training: bool = False) -> dict:
        """Stack the samples of a batch, or make its views.

        Args:
            data (dict): ``inputs`` as collated by MMEngine's
                ``pseudo_collate`` (lists of N tensors, in a list or dict for
                views and streams) or by ``pack_collate``, and
                ``data_samples``.
            training (bool): Whether to augment ragged clips. Defaults to
                False.

        Returns:
            dict: ``data`` with float32 tensors (N, ...) in ``inputs``.

        Raises:
            ValueError: If clips of different lengths are given, but no
                ``views``.
        """
        inputs = self.cast_data(data['inputs'])
        clips = self._clips(inputs)
        if clips is None:
            inputs = self._stack(inputs)
        else:
            inputs = self.make_views(clips, training)
        # Views need no labels, which cost more to copy one by one than clips.
        if self.views is None or not training:
            rest = {key: data[key] for key in data if key != 'inputs'}
            data = self.cast_data(rest)
        return dict(data, inputs=inputs)

    def make_views(self, clips: PackedClips,
                   training: bool) -> Union[list[Tensor], Tensor]:
        """Views, float32: (N, M, clip_len, V, C) each.

        Other than in training all of each clip, (N, 1, M, clip_len, V, C).
        """
        if self.views is None:
            raise ValueError('clips of different lengths were given, but '
                             'model.data_preprocessor has no views to make '
                             'of them, and the pipeline makes none')
        with torch.autocast(clips.frames.device.type, enabled=False):
            if not training:
                return self.views.resize(clips, self.num_person).unsqueeze(1)
            views = self.views.batch(clips, self.num_person,
                                     self._generator(clips.frames.device))
            return [view.float() for view in views]

    def _clips(self, inputs: Any) -> Optional[PackedClips]:
        """What views are to be made of, if anything."""
        if isinstance(inputs, PackedClips):
            return inputs
        if isinstance(inputs, Tensor) and inputs.dtype == torch.long:
            return self.kept.select(inputs) if self.kept else None
        ragged = isinstance(inputs, (list, tuple)) and isinstance(
            inputs[0], Tensor) and inputs[0].dim() == 4
        return pack_clips(inputs) if ragged and self.views else None

    def _stack(self, inputs: Any) -> Any:
        if isinstance(inputs, dict):
            return {key: self._stack(value) for key, value in inputs.items()}
        if isinstance(inputs, Tensor):
            return inputs.float()
        if isinstance(inputs[0], Tensor):
            return torch.stack(tuple(inputs)).float()
        return [self._stack(view) for view in inputs]

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
