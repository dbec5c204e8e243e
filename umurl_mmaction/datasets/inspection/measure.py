"""Numbers about clips as they are annotated: functions of arrays."""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Callable, NamedTuple, Optional

import numpy as np

from ...skeleton.layout import LAYOUTS, Layout

# What is usual for so many joints, where a file does not say.
_BY_JOINTS = {25: 'nturgb+d', 20: 'kinect-v1', 17: 'coco', 18: 'openpose'}
# Shoulders in the right order point to -x in 0 to 20 % of the clips of the
# sets named in `findings.py`, in the wrong order in 80 to 100 %.
AWAY = 0.5
# A person spans hundreds of pixels, and less than this in other units of 2D
# keypoints.
PIXELS = 10.
_HIGH = ('head', 'neck', 'shoulder', 'nose', 'eye', 'ear')
_LOW = ('hip', 'pelvis', 'spine_base', 'knee', 'ankle', 'foot')


def layout_by_joints(num_joints: int) -> Optional[Layout]:
    """Return the usual layout of so many joints, None if there is none."""
    name = _BY_JOINTS.get(num_joints)
    return None if name is None else LAYOUTS[name]


class Clip(NamedTuple):
    """What is measured on one clip.

    The first body counts, in the frames where it is there.

    Args:
        num_frames (int): Bodies x frames.
        empty_frames (int): Those of them without any joint.
        missing (np.ndarray): In how many frames with a body each joint is
            missing, (V, ), int. The centre may be at the origin.
        spread (float): Largest extent of the body along an axis, the median
            over the frames; NaN without a body, as are all below.
        depth (tuple[float, float]): Smallest and largest third coordinate.
        up (np.ndarray): Unit vector from the low joints (hips, feet) to the
            high ones (shoulders, head) in the first frame, (C, ).
        line (np.ndarray): Unit vector from the first of the layout's
            shoulders to the second in the first frame, (C, ).
        side (float): Above 0 if the joints that are named right are right of
            the left ones, as seen by the person; below 0 if they are left.
        jumps (int): Steps between frames in which half of the joints move by
            more than half of ``spread``.
        torso (float): Distance from the middle of the hips to that of the
            shoulders, the median over the frames; NaN without such names.
    """
    num_frames: int
    empty_frames: int
    missing: np.ndarray
    spread: float
    depth: tuple[float, float]
    up: np.ndarray
    line: np.ndarray
    side: float
    jumps: int
    torso: float = np.nan


@dataclass(frozen=True)
class SetMeasures:
    """What is measured on a set of clips, or on a sample of it.

    Args:
        layout (Layout, optional): The skeleton, if it is known.
        clips (Sequence[Clip]): The measures of each clip.
        num_coords (int): Coordinates C.
        tilted (float, optional): Result of :func:`turned_upright`; None if
            nothing is rotated as well.
        rotates (bool): Whether the normalisation turns the shoulder line.
        scale (float): The length that the normalisation makes 1; 0 if that
            is the size of the bodies of each clip. Defaults to 1.
        by_image (bool): Whether the normalisation divides by the size of the
            image, as suits pixels. Defaults to False.
        keeps_pixels (bool): Whether pixels reach the encoder as they are, as
            nothing scales 2D keypoints. Defaults to False.
    """
    layout: Optional[Layout]
    clips: Sequence[Clip]
    num_coords: int
    tilted: Optional[float] = None
    rotates: bool = False
    scale: float = 1.
    by_image: bool = False
    keeps_pixels: bool = False

    @property
    def away_share(self) -> float:
        """Share of clips whose shoulder line points to -x; NaN if none has
        both shoulders."""
        lines = self.stack('line')
        return float((lines[:, 0] < 0).mean()) if len(lines) else np.nan

    def stack(self, name: str) -> np.ndarray:
        """Return a measure of all clips where it is known, (K, ...)."""
        values = np.array([getattr(clip, name) for clip in self.clips])
        rows = values.reshape(len(values), -1)
        return values[np.isfinite(rows).all(axis=1)]


def evenly(count: int, limit: Optional[int]) -> list[int]:
    """Return at most ``limit`` indices evenly over 0 to ``count`` - 1."""
    if limit is None or count <= limit:
        return list(range(count))
    return np.linspace(0, count - 1, limit).astype(int).tolist()


def missing_as_zeros(keypoint: np.ndarray,
                     score: Optional[np.ndarray] = None) -> np.ndarray:
    """Set joints that are not finite, or have no score, to 0.

    Args:
        keypoint (np.ndarray): (M, T, V, C).
        score (np.ndarray, optional): (M, T, V).

    Returns:
        np.ndarray: (M, T, V, C), float32.
    """
    joints = keypoint.astype(np.float32)
    there = np.asarray(np.isfinite(joints).all(axis=-1))
    if score is not None and score.shape == there.shape:
        there &= score > 0
    return np.where(there[..., None], joints, 0)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale (..., C) to length 1; NaN where there is no length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, np.nan)


def _middle(joints: np.ndarray) -> np.ndarray:
    """Average the joints that are there: (..., V, C) -> (..., C); or NaN."""
    there = joints.any(axis=-1, keepdims=True)
    count = there.sum(axis=-2)
    return joints.sum(axis=-2) / np.where(count > 0, count, np.nan)


def _named(layout: Layout, parts: Iterable[str]) -> list[int]:
    return [v for v, name in enumerate(layout.joints)
            if any(part in name.lower() for part in parts)]


def upright(pose: np.ndarray, layout: Layout) -> np.ndarray:
    """Find the direction from hips and feet to shoulders and head.

    Args:
        pose (np.ndarray): (..., V, C), zeros where a joint is missing.
        layout (Layout): The skeleton.

    Returns:
        np.ndarray: Unit vectors, (..., C); NaN if no joint has such a name
        or is there.
    """
    high, low = (_middle(pose[..., _named(layout, parts), :])
                 for parts in (_HIGH, _LOW))
    return _unit(high - low)


def _forward(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """Find where a body looks: (T, V, 3) -> (T, 3), of any length.

    Feet point there. Without feet, what is less sure has to do: knees bend
    there, elbows away from there.
    """
    result = np.zeros((len(joints), 3), np.float32)
    has_feet = False

    def ahead(tip: int, *ends: int) -> np.ndarray:
        used = joints[:, [tip, *ends]]
        there = np.asarray(used.any(axis=-1).all(axis=-1))
        bend = joints[:, tip] - joints[:, list(ends)].mean(axis=1)
        return np.where(there[:, None], bend, 0)

    names = [name.lower() for name in layout.joints]
    for v, name in enumerate(names):
        parent = layout.parents[v]
        if parent != -1 and 'ankle' in names[parent] and 'heel' not in name:
            result += ahead(v, parent)
            has_feet = True
    if has_feet:
        return result
    for v, name in enumerate(names):
        parent = layout.parents[v]
        child = next((w for w, p in enumerate(layout.parents) if p == v), -1)
        if -1 in (parent, child):
            continue
        if 'knee' in name:
            result += ahead(v, parent, child)
        elif 'elbow' in name:
            result -= ahead(v, parent, child)
    return result


def side_of(joints: np.ndarray, layout: Layout) -> float:
    """Tell whether right joints are on the right side of a body.

    In three dimensions the axes are taken as right-handed (Kinect's: x to
    the sensor's left, y up, z away from it); right is then forward x up. In
    two, people are taken to face the camera, with x to the picture's right:
    their left joints have the larger x.

    Args:
        joints (np.ndarray): Frames with a body, (T, V, C).
        layout (Layout): The skeleton; sides are found in the joints' names.

    Returns:
        float: Above 0 if so, below 0 if they are on the left side; NaN if it
        cannot be told.
    """
    pairs = layout.pairs
    if not pairs or not len(joints):
        return np.nan
    left, right = (joints[:, [pair[i] for pair in pairs]] for i in (0, 1))
    there = np.asarray(left.any(axis=-1) & right.any(axis=-1))[..., None]
    across = np.where(there, right - left, 0).sum(axis=1)
    if joints.shape[-1] == 2:
        known = across[:, 0][there.any(axis=(1, 2))]
        return -float(known.mean()) if len(known) else np.nan
    up = np.nan_to_num(upright(joints, layout))
    wanted = np.cross(_forward(joints, layout), up)
    agreement = float((across * wanted).sum())
    return agreement if agreement else np.nan


def torso_length(joints: np.ndarray, layout: Layout) -> float:
    """Measure from the middle of the hips to that of the shoulders.

    Args:
        joints (np.ndarray): (T, V, C), zeros where a joint is missing.
        layout (Layout): The skeleton.

    Returns:
        float: The median over the frames that have both; NaN without any.
    """
    ends = [_middle(joints[..., _named(layout, [part]), :])
            for part in ('shoulder', 'hip')]
    lengths = np.linalg.norm(ends[0] - ends[1], axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) else np.nan


def measure_clip(keypoint: np.ndarray,
                 layout: Optional[Layout],
                 score: Optional[np.ndarray] = None) -> Clip:
    """Measure a clip.

    Args:
        keypoint (np.ndarray): (M, T, V, C) as annotated, C = 2 or 3; zeros
            where a joint is missing.
        layout (Layout, optional): The skeleton. Without it, directions and
            sides are NaN.
        score (np.ndarray, optional): (M, T, V). Joints without are missing.

    Returns:
        Clip: The measures.
    """
    joints = missing_as_zeros(keypoint, score)
    coords = joints.shape[-1]
    there = np.asarray(joints.any(axis=-1))
    frames = np.asarray(there.any(axis=-1))
    gone = (frames[..., None] & ~there).sum(axis=(0, 1))
    if layout is not None:
        gone[layout.center] = 0
    nowhere = np.full(coords, np.nan, np.float32)
    clip = Clip(
        frames.size, int((~frames).sum()), gone, np.nan, (np.nan, np.nan),
        nowhere, nowhere, np.nan, 0)
    body = joints[0][frames[0]]
    if not len(body):
        return clip
    seen = there[0][frames[0]]
    # The centre at the origin is there; any other joint at it is not.
    if layout is not None:
        seen[:, layout.center] = True
    low, high = (np.where(seen[..., None], body, far) for far in (9e9, -9e9))
    sizes = (high.max(axis=1) - low.min(axis=1)).max(axis=-1)
    spread = float(np.median(sizes))
    both = (seen[1:] & seen[:-1])[..., None]
    steps = np.where(both, np.diff(body, axis=0), 0)
    steps = np.linalg.norm(steps, axis=-1)
    # Frames that are next to each other in the clip, not over a gap.
    near = np.ediff1d(np.flatnonzero(frames[0])) == 1
    jumps = (np.median(steps, axis=1) > spread / 2) & near
    clip = clip._replace(spread=spread, jumps=int(jumps.sum()))
    if coords == 3:
        clip = clip._replace(
            depth=(float(body[..., 2].min()), float(body[..., 2].max())))
    if layout is None:
        return clip
    if layout.shoulders is not None:
        start, end = layout.shoulders
        if seen[0, start] and seen[0, end]:
            clip = clip._replace(line=_unit(body[0, end] - body[0, start]))
    return clip._replace(
        up=upright(body[0], layout),
        side=side_of(body, layout),
        torso=torso_length(body, layout))


def turned_upright(clips: Iterable[dict], layout: Layout,
                   normalize: Callable[[dict], dict]) -> Optional[float]:
    """Measure how much a normalisation tilts the bodies.

    Args:
        clips (Iterable[dict]): Annotations; their first frame with a body is
            normalised.
        layout (Layout): The skeleton.
        normalize (Callable): Takes and returns an annotation.

    Returns:
        float | None: Mean change of the upright unit vector along the axis
        that most bodies stand along, 0 to 2; None if no direction is known.
    """
    before, after = [], []
    for clip in clips:
        joints = missing_as_zeros(clip['keypoint'])
        frames = np.flatnonzero(joints[0].any(axis=(1, 2)))
        if not len(frames):
            continue
        pose = joints[:, frames[:1]]
        up = upright(pose[0, 0], layout)
        made = normalize(
            dict(clip, keypoint=pose, total_frames=1, layout=layout))
        turned = upright(made['keypoint'][0, 0], layout)
        if np.isfinite([up, turned]).all():
            before.append(up)
            after.append(turned)
    if not before:
        return None
    change = np.abs(np.array(after) - np.array(before)).mean(axis=0)
    return float(change[np.abs(np.sum(before, axis=0)).argmax()])


def measure_set(clips: Sequence[dict],
                layout: Optional[Layout],
                normalize: Optional[Callable[[dict], dict]] = None,
                track: Callable[[Sequence], Iterable] = iter) -> SetMeasures:
    """Measure the clips of a set.

    Args:
        clips (Sequence[dict]): Annotations of one set, with as many joints
            and coordinates each.
        layout (Layout, optional): The skeleton.
        normalize (Callable, optional): What turns the shoulder line; takes
            and returns an annotation. Defaults to None: nothing does.
        track (Callable): Goes through the clips and may show a bar.
            Defaults to ``iter``.

    Returns:
        SetMeasures: The measures.
    """
    measures = [
        measure_clip(clip['keypoint'], layout, clip.get('keypoint_score'))
        for clip in track(clips)
    ]
    coords = clips[0]['keypoint'].shape[-1]
    rotates = (normalize is not None and coords == 3 and layout is not None
               and layout.shoulders is not None)
    found = SetMeasures(layout, measures, coords, None, rotates)
    # Only lines that point away from +x make a noisy turn.
    if (normalize is not None and layout is not None and rotates
            and found.away_share > AWAY):
        found = replace(
            found, tilted=turned_upright(clips, layout, normalize))
    return found
