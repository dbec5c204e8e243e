"""Clips measured where the normalisation of a pipeline meets them."""
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Optional

import numpy as np

from ...skeleton.layout import LAYOUTS, Layout
from ..transforms.normalize import (
    SkeletonPreNormalize,
    SkeletonPreNormalize2D,
    normalizes_2d,
)
from .measure import (
    PIXELS,
    SetMeasures,
    evenly,
    layout_by_joints,
    measure_clip,
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


def _keeps_pixels(clips: Sequence[dict], steps: Sequence[Callable],
                  layout: Optional[Layout]) -> bool:
    """Tell whether 2D keypoints are as large as pixels after their steps.

    The steps may be any: it is their result that counts.
    """
    spreads = []
    for i in evenly(len(clips), LIMIT):
        clip = clips[i]
        if layout is not None:
            clip = dict(clip, layout=layout)
        made = _apply(steps, clip)
        spreads.append(measure_clip(made['keypoint'][..., :2], layout).spread)
    # A clip without a body has NaN; without any other, the median is NaN.
    known = np.array(spreads)[np.isfinite(spreads)]
    return len(known) > 0 and float(np.median(known)) > PIXELS


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
    clips = annotated = [clips[i] for i in evenly(len(clips), limit)]
    steps = [*prepare, *pipeline]
    normalize, turn, scale = None, None, 1.
    for i, step in enumerate(steps):
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
    # MMAction2's stands in the pipeline, whose other steps may depend on
    # chance and are not tried.
    flat = list(filter(normalizes_2d, steps))
    found = replace(
        measure_set(clips, layout, turn, track),
        scale=scale,
        by_image=any(
            getattr(step, 'scale_by', 'image') == 'image' for step in flat))
    if coords == 3 or flat:
        return found
    tried = [*prepare]
    if normalize is not None and normalize not in tried:
        tried.append(normalize)
    return replace(
        found, keeps_pixels=_keeps_pixels(annotated, tried, layout))
