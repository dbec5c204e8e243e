"""Landmarks that MediaPipe's PoseLandmarker has found.

MediaPipe has no files of its own, so these are taken: arrays (T, 33, C) or
(M, T, 33, C), and results as JSON, a list with one for each frame, with the
names of MediaPipe's Python (``mediapipe/tasks/python/vision/
pose_landmarker.py``) or JavaScript. C is x, y, z and, if there are more, the
visibility and the presence. World landmarks are metres, x to the right of the
picture, y down, z away from the camera; landmarks of the picture are shares of
its width and height.
"""
from pathlib import Path
from typing import Any

import numpy as np

from ..fileio.clips import Clip, at, load_json, read_array, to_array
from ..skeleton.layout import LAYOUTS
from .estimates import Estimates, Settings, stack_bodies
from .shared import Skeleton

SUFFIXES = ('.json', '.npy', '.npz')
# In Python and in JavaScript.
KEYS = dict(
    world=('pose_world_landmarks', 'worldLandmarks'),
    image=('pose_landmarks', 'landmarks'))
_NUM_JOINTS = 33


def find_videos(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Find the file of each clip.

    Args:
        folder (Path): Where to look, to any depth.

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, sorted.
    """
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob('[!.]*')):
        if file.suffix in SUFFIXES:
            name = file.relative_to(folder).with_suffix('').as_posix()
            found.setdefault(name, []).append(file)
    return {name: tuple(files) for name, files in sorted(found.items())}


def _landmark(item: Any) -> list[Any]:
    if not isinstance(item, dict) or not {'x', 'y', 'z'} <= set(item):
        raise ValueError('expected a landmark with x, y and z, got '
                         f'{item!r:.40}')
    visibility = item.get('visibility')
    return [item['x'], item['y'], item['z'],
            1. if visibility is None else visibility]


def _people(result: dict, keys: tuple[str, ...]) -> np.ndarray:
    """Read the people of a frame, (P, 33, 4)."""
    key = next((key for key in keys if key in result), None)
    if key is None:
        raise ValueError(f'expected {" or ".join(keys)}, got '
                         f'{", ".join(map(repr, result)) or "nothing"}')
    people = result[key]
    if not isinstance(people, list) or not all(
            isinstance(person, list) for person in people):
        raise ValueError(f'expected {key} to be a list of people, each a list '
                         'of landmarks')
    return stack_bodies([
        to_array([_landmark(item) for item in person]) for person in people
    ])


def _results(results: list, keys: tuple[str, ...]) -> list[np.ndarray]:
    frames = []
    for t, result in enumerate(results):
        with at(f'frame {t}'):
            if not isinstance(result, dict):
                raise ValueError(f'expected a result, got {result!r:.40}')
            frames.append(_people(result, keys))
    return frames


def _columns(array: np.ndarray) -> np.ndarray:
    """Bring an array (..., 33, C) to x, y, z and visibility."""
    if array.dtype.kind not in 'fiu' or array.ndim not in (3, 4) or (
            not array.size or array.shape[-2] != _NUM_JOINTS
            or array.shape[-1] not in (3, 4, 5)):
        raise ValueError('expected landmarks (T, 33, C) or (M, T, 33, C), C '
                         f'from 3 to 5, got {array.dtype} {array.shape}')
    array = np.asarray(array, np.float64)
    if array.shape[-1] > 3:
        return array[..., :4]
    there = array.any(axis=-1, keepdims=True)
    return np.concatenate([array, there], axis=-1)


def read_video(paths: tuple[Path, ...], settings: Settings) -> Estimates:
    """Read the landmarks of a video.

    Args:
        paths (tuple[Path, ...]): Its file.
        settings (Settings): ``options`` has ``landmarks``, ``'world'`` or
            ``'image'``, and ``skeleton``; landmarks of the picture need
            ``img_shape``.

    Returns:
        Estimates: World landmarks in three dimensions, or those of the
        picture in pixels.

    Raises:
        ValueError: If the file is malformed. Names it.
    """
    path, kind = paths[0], settings.options['landmarks']
    with at(str(path)):
        if len(paths) > 1:
            raise ValueError('expected one file of that name, got '
                             f'{", ".join(file.name for file in paths)}')
        data: Any = (load_json(path) if path.suffix == '.json' else read_array(
            Clip(path)))
        followed = not (isinstance(data, list) and data
                        and isinstance(data[0], dict))
        if followed:
            array = _columns(
                data if isinstance(data, np.ndarray) else to_array(data))
            bodies = array if array.ndim == 4 else array[None]
            frames = list(bodies.swapaxes(0, 1))
        else:
            frames = _results(data, KEYS[kind])
        for t, frame in enumerate(frames):
            if len(frame) and frame.shape[1] != _NUM_JOINTS:
                raise ValueError(f'frame {t}: expected {_NUM_JOINTS} '
                                 f'landmarks, got {frame.shape[1]}')
    skeleton: Skeleton = 'mediapipe'
    if kind == 'world':
        # x grows to the right of the picture, so the left shoulder of who
        # faces the camera has the larger one.
        description = LAYOUTS['mediapipe'].to_dict()
        description['shoulders'].reverse()
        skeleton = description
    else:
        height, width = settings.img_shape or (1, 1)
        frames = [
            frame[..., [0, 1, 3]] * [width, height, 1] if len(frame) else frame
            for frame in frames
        ]
    given = settings.options['skeleton']
    return Estimates(frames, skeleton if given is None else given, followed)
