"""Clips measured where the normalisation of a pipeline meets them."""
from collections.abc import Callable, Iterable, Sequence
from typing import Optional

from ...skeleton.layout import LAYOUTS, Layout
from ..transforms.normalize import SkeletonPreNormalize
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


def measure_steps(clips: Sequence[dict],
                  prepare: Sequence[Callable],
                  pipeline: Sequence[Callable],
                  layout: Optional[Layout],
                  limit: Optional[int] = LIMIT,
                  track: Callable[[Sequence], Iterable] = iter
                  ) -> Optional[SetMeasures]:
    """Measure clips before a ``SkeletonPreNormalize`` of their transforms.

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
    normalize = None
    for i, step in enumerate([*prepare, *pipeline]):
        if isinstance(step, SkeletonPreNormalize):
            normalize = step
            layout = step.layout or layout or LAYOUTS['nturgb+d']
            clips = [_apply(prepare[:i], clip) for clip in clips]
            break
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
    return measure_set(clips, layout, normalize, track)
