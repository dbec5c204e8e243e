from collections.abc import Sequence
from typing import Union

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform
from torch import Tensor
from torch.nn import functional as F


@TRANSFORMS.register_module()
class PackSkeletonInputs(BaseTransform):
    """Pack a clip for the model, with a fixed number of bodies.

    ``views`` are packed if there are any (pre-training), else ``modalities``
    (streams), else ``keypoint`` with MMAction2's leading clip axis. Missing
    bodies are zeros; bodies beyond ``num_person`` are left out. ``ragged``
    clips stay as long as they are, for views that are made on the device.

    Required Keys:

        - views, modalities or keypoint
        - label (optional)

    Added Keys:

        - inputs: a list of (num_person, T, V, C), a dict of name -> (1,
          num_person, T, V, C), or (1, num_person, T, V, C), float32; if
          ragged (M, T, V, C) with M up to num_person, in the data's dtype.
        - data_samples: an ``ActionDataSample`` with the label and the meta
          keys.

    Args:
        num_person (int): Bodies M. Defaults to 2.
        meta_keys (sequence of str): Keys kept in the data sample. Defaults
            to ``('frame_dir', )``.
        ragged (bool): Pack ``keypoint`` as it is. Defaults to False.
    """

    def __init__(self,
                 num_person: int = 2,
                 meta_keys: Sequence[str] = ('frame_dir', ),
                 ragged: bool = False) -> None:
        self.num_person = num_person
        self.ragged = ragged
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``dict(inputs=..., data_samples=...)``."""
        inputs: Union[Tensor, list, dict]
        if self.ragged:
            inputs = torch.from_numpy(results['keypoint'][:self.num_person])
        elif 'views' in results:
            inputs = [self._pad(view) for view in results['views']]
        elif 'modalities' in results:
            inputs = {
                name: self._pad(stream)[None]
                for name, stream in results['modalities'].items()
            }
        else:
            inputs = self._pad(results['keypoint'])[None]
        data_sample = ActionDataSample()
        if 'label' in results:
            data_sample.set_gt_label(results['label'])
        data_sample.set_metainfo(
            {key: results[key]
             for key in self.meta_keys if key in results})
        return dict(inputs=inputs, data_samples=data_sample)

    def _pad(self, array: np.ndarray) -> Tensor:
        bodies = torch.from_numpy(array[:self.num_person]).float()
        missing = self.num_person - len(bodies)
        return F.pad(bodies, (0, 0, 0, 0, 0, 0, 0, missing))

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(num_person={self.num_person}, '
                f'meta_keys={self.meta_keys}, ragged={self.ragged})')
