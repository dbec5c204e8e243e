from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmaction.structures import ActionDataSample
from torch import Tensor

from ...skeleton.batch import ClipIndex, RaggedClip, Streams, Views, fit_bodies
from .base import SkeletonTransform


@TRANSFORMS.register_module()
class PackSkeletonInputs(SkeletonTransform):
    """Pack a clip for the model.

    It packs ``views`` (pre-training) if the clip has them, else
    ``modalities`` (streams), else ``keypoint`` with MMAction2's leading clip
    axis. With ``ragged`` it packs ``keypoint`` in its own length, for views
    that are made on the device. The encoder fills missing bodies with zeros.

    Required Keys:

        - views, modalities or keypoint
        - label (optional; None counts as none)

    Added Keys:

        - inputs: ``Views`` of (M, T, V, C); ``Streams`` of name -> (1, M, T,
          V, C); or (1, M, T, V, C); float32. A ragged clip is a
          ``RaggedClip`` in the data's dtype.
        - data_samples: an ``ActionDataSample`` with the label and the meta
          keys.

    Args:
        num_person (int, optional): Number of bodies for a model that needs a
            fixed one: missing bodies become zeros, extra ones are left out.
            Defaults to None: the number of the clip.
        meta_keys (sequence of str): Keys kept in the data sample. Defaults
            to ``('frame_dir', )``.
        ragged (bool): Pack ``keypoint`` with its own number of frames.
            Defaults to False.
    """

    def __init__(self,
                 num_person: Optional[int] = None,
                 meta_keys: Sequence[str] = ('frame_dir', ),
                 ragged: bool = False) -> None:
        self.num_person = num_person
        self.meta_keys = tuple(meta_keys)
        self.ragged = ragged

    def transform(self, results: dict) -> dict:
        """Return ``dict(inputs=..., data_samples=...)``."""
        inputs: Any
        if self.ragged:
            keypoint = results['keypoint'][:self.num_person]
            inputs = RaggedClip(torch.from_numpy(keypoint))
        elif 'views' in results:
            inputs = Views([self._fit(view) for view in results['views']])
        elif 'modalities' in results:
            inputs = Streams({
                name: self._fit(stream)[None]
                for name, stream in results['modalities'].items()
            })
        else:
            inputs = self._fit(results['keypoint'])[None]
        data_sample = ActionDataSample()
        if results.get('label') is not None:
            data_sample.set_gt_label(results['label'])
        data_sample.set_metainfo(
            {key: results[key]
             for key in self.meta_keys if key in results})
        return dict(inputs=inputs, data_samples=data_sample)

    def _fit(self, array: np.ndarray) -> Tensor:
        joints = torch.from_numpy(array).float()
        if self.num_person is None:
            return joints
        return fit_bodies(joints, self.num_person)


class PackIndex(SkeletonTransform):
    """Pack the index of a clip that is kept on the device.

    Required Keys:

        - frame_dir
        - sample_idx

    Added Keys:

        - inputs: a ``ClipIndex``.
        - data_samples: an ``ActionDataSample`` with ``frame_dir``.
    """

    def transform(self, results: dict) -> dict:
        """Return ``dict(inputs=..., data_samples=...)``."""
        sample = ActionDataSample(
            metainfo=dict(frame_dir=results['frame_dir']))
        return dict(
            inputs=ClipIndex(results['sample_idx']), data_samples=sample)
