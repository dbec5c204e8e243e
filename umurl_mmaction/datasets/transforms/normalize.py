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
    """Normalise a clip as the paper does.

    Missing frames at the start and the end of a body are filled. The centre
    joint of body 0 moves to the origin in every frame. All bodies turn by the
    one rotation that brings body 0's shoulder line in the first frame onto
    +x.

    Required Keys:

        - keypoint
        - layout (optional)

    Modified Keys:

        - keypoint

    Args:
        layout (str | dict, optional): Name or description of the layout.
            Without ``shoulders``, or if C is not 3, nothing is rotated.
            Defaults to the layout of the data, else ``'nturgb+d'``.
    """

    def __init__(self,
                 layout: Optional[Union[str, Mapping]] = None) -> None:
        self.layout = None if layout is None else build_layout(layout)

    @torch.inference_mode()
    def transform(self, results: dict) -> dict:
        """Normalise ``keypoint``, (M, T, V, C), to float32.

        A clip without any body stays zero.

        Raises:
            ValueError: If the clip has another number of joints.
        """
        layout = self.layout or results.get('layout') or LAYOUTS['nturgb+d']
        # Released annotations are float16, which loses digits in differences.
        keypoint = results['keypoint'].astype(np.float32, copy=False)
        layout.check(keypoint.shape,
                     f'keypoint of {results.get("frame_dir", "a clip")}')
        joints = torch.from_numpy(np.ascontiguousarray(keypoint))[None]
        # A body in the first and the last frame needs no repair.
        if not keypoint[:, (0, -1)].any(axis=(2, 3)).all():
            joints = repair_missing_frames(joints)
        results['keypoint'] = align_bodies(joints, layout)[0].numpy()
        return results

    def __repr__(self) -> str:
        name = self.layout and self.layout.name
        return f'{self.__class__.__name__}(layout={name!r})'
