from collections.abc import Mapping, Sequence
from typing import Optional, Union

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ...skeleton.layout import LAYOUTS, build_layout
from ...skeleton.normalize import (
    align_bodies,
    normalize_pixels,
    repair_missing_frames,
)


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


@TRANSFORMS.register_module()
class SkeletonPreNormalize2D(BaseTransform):
    """Scale 2D keypoints to -1..1 over the frame, as ``PreNormalize2D`` does.

    Missing joints become zeros, where ``PreNormalize2D`` of MMAction2 moves
    them to the corner (-1, -1): joints at (0, 0), with NaN or infinity, or
    with a score that is not above ``score_thr``. All others are equal to
    those of ``PreNormalize2D``.

    Required Keys:

        - keypoint
        - keypoint_score (optional)
        - img_shape (optional)

    Modified Keys:

        - keypoint

    Removed Keys:

        - keypoint_score

    Args:
        img_shape (tuple[int, int]): Height and width in pixels of a clip that
            does not say its own. Defaults to ``(1080, 1920)``.
        score_thr (float): Largest score of a joint that counts as missing; a
            negative number keeps all. Defaults to 0.
        with_score (bool): Keep the score as a third coordinate, for an
            encoder with ``in_channels=3``. Defaults to False.
    """

    def __init__(self,
                 img_shape: Sequence[int] = (1080, 1920),
                 score_thr: float = 0.,
                 with_score: bool = False) -> None:
        height, width = img_shape
        self.img_shape = (height, width)
        self.score_thr = score_thr
        self.with_score = with_score

    def transform(self, results: dict) -> dict:
        """Normalise ``keypoint``, (M, T, V, 2) or (M, T, V, 3).

        A third coordinate is the score; otherwise ``keypoint_score``, (M, T,
        V), is, if the clip has it. The result is (M, T, V, 2), with
        ``with_score`` (M, T, V, 3), in the floating dtype of the data.

        Raises:
            ValueError: If the clip has other coordinates or no score for each
                joint, and none at all with ``with_score``.
        """
        name = f'keypoint of {results.get("frame_dir", "a clip")}'
        keypoint = results['keypoint']
        scores = results.pop('keypoint_score', None)
        if keypoint.shape[-1] not in (2, 3):
            raise ValueError(f'{name} has shape {keypoint.shape}; wanted is '
                             '(M, T, V, 2): x and y, or (M, T, V, 3) with the '
                             'score')
        if keypoint.dtype.kind != 'f':
            keypoint = keypoint.astype(np.float32)
        if keypoint.shape[-1] == 2 and scores is not None:
            if scores.shape != keypoint.shape[:-1]:
                raise ValueError(
                    f'{name} has shape {keypoint.shape}, but its '
                    f'keypoint_score {scores.shape}; wanted is a score for '
                    f'each joint, {keypoint.shape[:-1]}')
            keypoint = np.concatenate(
                [keypoint, scores[..., None].astype(keypoint.dtype)], axis=-1)
        if keypoint.shape[-1] == 2 and self.with_score:
            raise ValueError(f'{name} has no scores, which with_score=True '
                             'needs: neither keypoint_score nor a third '
                             'coordinate')
        joints = normalize_pixels(
            torch.from_numpy(keypoint),
            results.get('img_shape', self.img_shape), self.score_thr)
        coords = 3 if self.with_score else 2
        results['keypoint'] = joints[..., :coords].contiguous().numpy()
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(img_shape={self.img_shape}, '
                f'score_thr={self.score_thr}, with_score={self.with_score})')
