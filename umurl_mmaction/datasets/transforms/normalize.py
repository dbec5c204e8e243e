from collections.abc import Mapping, Sequence
from typing import Optional, Union

import numpy as np
import torch
from mmaction.registry import TRANSFORMS

from ...skeleton.layout import build_layout
from ...skeleton.normalize import (
    align_bodies,
    normalize_by_body,
    normalize_pixels,
    repair_missing_frames,
)
from .base import SkeletonTransform


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise a ValueError that names a setting unless its value is known."""
    if value not in known:
        raise ValueError(f'{name}={value!r} must be one of '
                         f'{", ".join(map(repr, known))}')


def normalizes_2d(step: object) -> bool:
    """Tell whether a step normalises 2D keypoints: ours, or MMAction2's."""
    return type(step).__name__.endswith('PreNormalize2D')


@TRANSFORMS.register_module()
class SkeletonPreNormalize(SkeletonTransform):
    """Normalise a clip, by default as the paper does.

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
        rotation (str): ``'full'`` is the paper's; ``'vertical'`` turns about
            the vertical axis alone, until the shoulder line has no depth, so
            that a body keeps its tilt; ``'none'`` does not turn. Defaults to
            ``'full'``.
        up (str): The vertical axis, ``'y'`` or ``'z'``. Defaults to ``'y'``.
        scale (float): The length, in the unit of the data, that becomes 1,
            such as the median torso of the training set, which
            ``tools/data/inspect_annotations.py`` says. Defaults to 1: the
            unit stays.

    Raises:
        ValueError: If a setting is none of these, or the scale is not above
            0.
    """

    def __init__(self,
                 layout: Optional[Union[str, Mapping]] = None,
                 rotation: str = 'full',
                 up: str = 'y',
                 scale: float = 1.) -> None:
        self.layout = None if layout is None else build_layout(layout)
        check_choice('rotation', rotation, ('full', 'vertical', 'none'))
        check_choice('up', up, ('y', 'z'))
        if not 0 < scale < float('inf'):
            raise ValueError(f'scale={scale} must be a length above 0')
        self.rotation = rotation
        self.up = up
        self.scale = scale

    @torch.inference_mode()
    def transform(self, results: dict) -> dict:
        """Normalise ``keypoint``, (M, T, V, C), to float32.

        A clip without any body stays zero.

        Raises:
            ValueError: If the clip has another number of joints.
        """
        layout = self.layout_of(results)
        # Released annotations are float16, which loses digits in differences.
        keypoint = results['keypoint'].astype(np.float32, copy=False)
        layout.check(keypoint.shape,
                     f'keypoint of {results.get("frame_dir", "a clip")}')
        joints = torch.from_numpy(np.ascontiguousarray(keypoint))[None]
        # A body in the first and the last frame needs no repair.
        if not keypoint[:, (0, -1)].any(axis=(2, 3)).all():
            joints = repair_missing_frames(joints)
        joints = align_bodies(
            joints, layout, rotation=self.rotation, up=self.up)[0]
        if self.scale != 1:
            joints = joints / self.scale
        results['keypoint'] = joints.numpy()
        return results


@TRANSFORMS.register_module()
class SkeletonPreNormalize2D(SkeletonTransform):
    """Scale 2D keypoints, by default as ``PreNormalize2D`` of MMAction2.

    That is to -1..1 over the image. By the body, the origin is the mean of
    the joints that are there and the unit is the height that they span, each
    the mean over the bodies and frames of the clip.

    Missing joints become zeros, where ``PreNormalize2D`` of MMAction2 moves
    them to the corner (-1, -1): joints at (0, 0), with NaN or infinity, or
    with a score that is not above ``score_thr``. All others are equal to
    those of ``PreNormalize2D``, if scaled by the image.

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
        scale_by (str): ``'image'`` or ``'body'``. Defaults to ``'image'``.

    Raises:
        ValueError: If ``scale_by`` is neither.
    """

    def __init__(self,
                 img_shape: Sequence[int] = (1080, 1920),
                 score_thr: float = 0.,
                 with_score: bool = False,
                 scale_by: str = 'image') -> None:
        height, width = img_shape
        check_choice('scale_by', scale_by, ('image', 'body'))
        self.scale_by = scale_by
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
        joints = torch.from_numpy(keypoint)
        if self.scale_by == 'body':
            joints = normalize_by_body(joints, self.score_thr)
        else:
            joints = normalize_pixels(
                joints, results.get('img_shape', self.img_shape),
                self.score_thr)
        coords = 3 if self.with_score else 2
        results['keypoint'] = joints[..., :coords].contiguous().numpy()
        return results
