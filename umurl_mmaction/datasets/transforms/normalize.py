from collections.abc import Mapping
from typing import Union

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ...skeleton.layout import build_layout
from ...skeleton.normalize import align_bodies, repair_missing_frames


@TRANSFORMS.register_module()
class SkeletonPreNormalize(BaseTransform):
    """The paper's normalisation of a clip.

    Closes gaps before a body's first and after its last frame, moves body
    0's centre joint of every frame to the origin, and turns all bodies so
    that body 0's shoulder line of the first frame lies along +x.

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint

    Args:
        layout (str | dict): Name or description of the layout. Rotation needs
            ``shoulders`` and C = 3. Defaults to ``'nturgb+d'``.
    """

    def __init__(self, layout: Union[str, Mapping] = 'nturgb+d') -> None:
        self.layout = build_layout(layout)

    def transform(self, results: dict) -> dict:
        """Normalise ``keypoint``, (M, T, V, C); a clip without any body
        stays zero."""
        # Released annotations are float16, too coarse to subtract in.
        keypoint = results['keypoint'].astype(np.float32, copy=False)
        self.layout.check(keypoint.shape,
                          f'keypoint of {results.get("frame_dir", "a clip")}')
        if keypoint.any():
            keypoint = align_bodies(
                repair_missing_frames(keypoint), self.layout)
        results['keypoint'] = keypoint
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(layout={self.layout.name!r})'
