from collections.abc import Mapping
from typing import Optional, Union

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ...skeleton.layout import LAYOUTS, build_layout
from ...skeleton.normalize import align_bodies, repair_missing_frames


@TRANSFORMS.register_module()
class SkeletonPreNormalize(BaseTransform):
    """The paper's normalisation of a clip.

    Closes gaps before a body's first and after its last frame, moves body
    0's centre joint of every frame to the origin, and turns all bodies so
    that body 0's shoulder line of the first frame lies along +x.

    Required Keys:

        - keypoint
        - layout (optional)

    Modified Keys:

        - keypoint

    Args:
        layout (str | dict, optional): Name or description of the layout.
            Rotation needs ``shoulders`` and C = 3. Defaults to None: the
            layout of the data, or ``'nturgb+d'`` if they do not say.
    """

    def __init__(self,
                 layout: Optional[Union[str, Mapping]] = None) -> None:
        self.layout = None if layout is None else build_layout(layout)

    @torch.inference_mode()
    def transform(self, results: dict) -> dict:
        """Normalise a clip.

        Args:
            results (dict): ``keypoint``, (M, T, V, C).

        Returns:
            dict: The same with ``keypoint`` in float32. A clip without any
            body stays zero.

        Raises:
            ValueError: If the clip has another number of joints.
        """
        layout = self.layout or results.get('layout') or LAYOUTS['nturgb+d']
        # Released annotations are float16, too coarse to subtract in.
        keypoint = results['keypoint'].astype(np.float32, copy=False)
        layout.check(keypoint.shape,
                     f'keypoint of {results.get("frame_dir", "a clip")}')
        joints = torch.from_numpy(np.ascontiguousarray(keypoint))[None]
        # Bodies that are there in the first and last frame need no repair.
        if not keypoint[:, (0, -1)].any(axis=(2, 3)).all():
            joints = repair_missing_frames(joints)
        results['keypoint'] = align_bodies(joints, layout)[0].numpy()
        return results

    def __repr__(self) -> str:
        name = self.layout and self.layout.name
        return f'{self.__class__.__name__}(layout={name!r})'
