"""Clips measured where the normalisation of a pipeline meets them."""
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Optional

from ...skeleton.layout import LAYOUTS, Layout
from ..transforms.normalize import (
    SkeletonPreNormalize,
    SkeletonPreNormalize2D,
)
from .measure import (
    SetMeasures,
    evenly,
    layout_by_joints,
    measure_set,
    missing_as_zeros,
)

# Enough to tell 50 % from 20 %, in a fraction of a second.
LIMIT = 256


def _apply(steps: Sequence[Callable], clip: dict) -> dict:
    for step in steps:
        # A transform may write into the array it is given.
        joints = missing_as_zeros(clip['keypoint'])
        clip = step(dict(clip, keypoint=joints))
    return clip


def _without_score(clip: dict) -> dict:
    """Take the third coordinate of 2D keypoints as what it is."""
    keypoint = clip['keypoint']
    if keypoint.shape[-1] != 3:
        return clip
    return dict(
        clip, keypoint=keypoint[..., :2], keypoint_score=keypoint[..., 2])


def measure_steps(clips: Sequence[dict],
                  prepare: Sequence[Callable],
                  pipeline: Sequence[Callable],
                  layout: Optional[Layout],
                  limit: Optional[int] = LIMIT,
                  track: Callable[[Sequence], Iterable] = iter
                  ) -> Optional[SetMeasures]:
    """Measure clips before the normalisation that is one of their transforms.

    Args:
        clips (Sequence[dict]): Annotations; they are left as they are.
        prepare (Sequence[Callable]): Transforms without chance. Those before
            the normalisation are applied.
        pipeline (Sequence[Callable]): Transforms that follow.
        layout (Layout, optional): What the data say; it gives way to that of
            the normalisation. Without any, it is that of the number of
            joints.
        limit (int, optional): Largest number of clips to look at. Defaults
            to 256; None looks at all.
        track (Callable): Goes through the clips and may show a bar.
            Defaults to ``iter``.

    Returns:
        SetMeasures | None: The measures; None if the clips have neither two
        nor three coordinates, or not all of one number of joints.
    """
    clips = [clips[i] for i in evenly(len(clips), limit)]
    normalize, turn, scale = None, None, 1.
    for i, step in enumerate([*prepare, *pipeline]):
        if isinstance(step, (SkeletonPreNormalize, SkeletonPreNormalize2D)):
            normalize = step
            clips = [_apply(prepare[:i], clip) for clip in clips]
            break
    if isinstance(normalize, SkeletonPreNormalize):
        layout = normalize.layout or layout or LAYOUTS['nturgb+d']
        turn = None if normalize.rotation == 'none' else normalize
        scale = normalize.scale
    elif isinstance(normalize, SkeletonPreNormalize2D):
        clips = [_without_score(clip) for clip in clips]
        scale = 0. if normalize.scale_by == 'body' else 1.
    sizes = {clip['keypoint'].shape[2:] for clip in clips}
    if len(sizes) != 1:
        return None
    (num_joints, coords), = sizes
    if coords not in (2, 3):
        return None
    if layout is None:
        layout = layout_by_joints(num_joints)
    if layout is not None and layout.num_joints != num_joints:
        return None
    return replace(measure_set(clips, layout, turn, track), scale=scale)
