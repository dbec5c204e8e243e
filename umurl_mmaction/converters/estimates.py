"""What pose estimators have found in a video, made the array of a clip."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

import numpy as np

from ..fileio.text import to_array
from ..skeleton.skeleton_file import Skeleton
from .tracks import MAX_GAP, main_bodies


class Estimates(NamedTuple):
    """What is in the files of a video.

    Args:
        frames (Sequence[np.ndarray]): The bodies of each frame, (P, V, C + 1):
            coordinates and score.
        skeleton (str | dict, optional): What the joints are.
        followed (bool): Whether bodies have their places in all frames, so
            that P is one number. Defaults to False.
        left_out (str): What else is in the files. Defaults to ''.
    """
    frames: Sequence[np.ndarray]
    skeleton: Optional[Skeleton]
    followed: bool = False
    left_out: str = ''


@dataclass(frozen=True)
class Settings:
    """How the files are read.

    Args:
        num_person (int): Largest number of bodies to keep. Defaults to 2.
        min_score (float): Joints with a smaller score are missing, and so are
            those with a score of 0. Defaults to 0.
        max_gap (int): Frames that a body may be away. Defaults to
            :data:`MAX_GAP`.
        img_shape (tuple[int, int], optional): Height and width of the
            pictures, in pixels. Defaults to None: unknown.
        scale (float): Factor of coordinates in three dimensions. Defaults to
            1.
        skeleton (str | dict, optional): What the joints are. Defaults to
            None: what the format says.
        images (bool): Whether a file of MMPose is a picture, and a folder is
            a clip. Defaults to False.
        landmarks (str): Those of MediaPipe to read: ``'world'``, in metres,
            or ``'image'``, in pixels. Defaults to ``'world'``.
    """
    num_person: int = 2
    min_score: float = 0.
    max_gap: int = MAX_GAP
    img_shape: Optional[tuple[int, int]] = None
    scale: float = 1.
    skeleton: Optional[Skeleton] = None
    images: bool = False
    landmarks: str = 'world'


class Pose(NamedTuple):
    """The array of a clip.

    Args:
        keypoint (np.ndarray): Float32, (M, T, V, C); missing joints are 0.
        score (np.ndarray): Float32, (M, T, V); 0 for missing joints.
        left_out (str): What else is in the files, such as further bodies.
        skeleton (str | dict, optional): What the joints are.
    """
    keypoint: np.ndarray
    score: np.ndarray
    left_out: str
    skeleton: Optional[Skeleton]


def mask_missing(bodies: np.ndarray, min_score: float = 0.) -> np.ndarray:
    """Set joints that are missing to 0.

    Args:
        bodies (np.ndarray): (..., V, C + 1), coordinates and score.
        min_score (float): Smallest score of a joint that is there. Defaults
            to 0: any above 0.

    Returns:
        np.ndarray: The same; 0 where a score is not above 0 or below
        ``min_score``, and where a number is not finite.
    """
    score = bodies[..., -1:]
    there = ((score > 0) & (score >= min_score)
             & np.isfinite(bodies).all(axis=-1, keepdims=True))
    return np.where(there, bodies, 0)


def joints_with_scores(coords: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Join the coordinates and scores of a body.

    Args:
        coords (np.ndarray): (V, C), C = 2 or 3.
        scores (np.ndarray): (V, ).

    Returns:
        np.ndarray: (V, C + 1).

    Raises:
        ValueError: If the shapes are others.
    """
    if coords.ndim != 2 or coords.shape[1] not in (2, 3) or (
            scores.shape != coords.shape[:1]):
        raise ValueError('expected keypoints (V, 2) or (V, 3) and scores '
                         f'(V, ), got {coords.shape} and {scores.shape}')
    return np.concatenate([coords, scores[:, None]], axis=1)


def flat_joints(value: Any, name: str) -> np.ndarray:
    """Read the joints of a body from a flat list.

    Args:
        value (Any): ``[x, y, confidence, x, ...]``.
        name (str): What the file calls it.

    Returns:
        np.ndarray: (V, 3).

    Raises:
        ValueError: If it is something else.
    """
    values = to_array(value)
    if values.ndim != 1 or not values.size or values.size % 3:
        raise ValueError(f'expected {name} to be x, y and confidence of each '
                         f'joint, got {values.shape}')
    return values.reshape(-1, 3)


def stack_bodies(bodies: Sequence[np.ndarray]) -> np.ndarray:
    """Put the bodies of a frame together.

    Args:
        bodies (Sequence[np.ndarray]): (V, C + 1) each.

    Returns:
        np.ndarray: (P, V, C + 1); (0, 0, 0) if there is none.

    Raises:
        ValueError: If they have not all the same joints.
    """
    shapes = {body.shape for body in bodies}
    if len(shapes) > 1:
        raise ValueError('expected all bodies to have the same joints, got '
                         f'{" and ".join(map(str, sorted(shapes)))}')
    return np.stack(bodies) if bodies else np.zeros((0, 0, 0))


def steady_frames(numbers: Sequence[int], what: str) -> None:
    """Refuse frames that are out of order or have gaps.

    Args:
        numbers (Sequence[int]): The number of each frame.
        what (str): What is numbered.

    Raises:
        ValueError: If the steps between them are not all the same and above
            0: a frame may be lost.
    """
    step = max(1, min((now - before for before, now in zip(
        numbers, numbers[1:])), default=1))
    for before, now in zip(numbers, numbers[1:]):
        if now != before + step:
            raise ValueError(f'expected {what} {before + step} after '
                             f'{before}, got {now}')


def to_pose(found: Estimates, settings: Settings) -> Pose:
    """Make the array of a clip.

    Args:
        found (Estimates): What is in the files.
        settings (Settings): How they are read.

    Returns:
        Pose: The main bodies. M is 0 if there is none.

    Raises:
        ValueError: If the frames do not have the same joints, or pixels are
            of pictures of unknown size.
    """
    shapes = {frame.shape[1:] for frame in found.frames if len(frame)}
    if len(shapes) > 1:
        raise ValueError('expected the same joints in all frames, got '
                         f'{" and ".join(map(str, sorted(shapes)))}')
    V, width = next(iter(shapes)) if shapes else (1, 3)
    if width == 3 and shapes and settings.img_shape is None:
        raise ValueError('keypoints in pixels need --img-shape HEIGHT WIDTH, '
                         'the size of the pictures, or columns height and '
                         'width in the table')
    frames = [
        mask_missing(frame.reshape(-1, V, width), settings.min_score)
        for frame in found.frames
    ]
    if found.followed:
        bodies = np.stack(frames, axis=1)
        more = max(0, len(bodies) - settings.num_person)
        bodies = bodies[:settings.num_person]
    else:
        # Who has no joint is nobody.
        frames = [frame[frame.any(axis=(1, 2))] for frame in frames]
        bodies, more = main_bodies(frames, settings.num_person,
                                   settings.max_gap)
    left_out = [found.left_out] if found.left_out else []
    if more:
        left_out.append(f'{more} more {"body" if more == 1 else "bodies"} '
                        'left out')
    keypoint = bodies[..., :-1]
    if width == 4:
        keypoint = keypoint * settings.scale
    # Infinity is refused where the clip is added.
    with np.errstate(over='ignore'):
        keypoint, score = (x.astype(np.float32)
                           for x in (keypoint, bodies[..., -1]))
    return Pose(keypoint, score, '; '.join(left_out), found.skeleton)
