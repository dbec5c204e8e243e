"""Landmarks that MediaPipe's PoseLandmarker has found.

MediaPipe has no files of its own, so these are taken: arrays (T, 33, C), (M,
T, 33, C) or, a frame a line, (T, 33 x C), the lines of a .csv, too; and JSON,
a list with one item for each frame. An item is the people that were found, one
person alone, or None; a result has either below the names of MediaPipe's
Python (``mediapipe/tasks/python/vision/pose_landmarker.py``) or JavaScript. A
person is a list of landmarks, dicts or numbers, or the dict that protobuf's
``MessageToDict`` makes of what ``mediapipe.solutions.pose`` gives.

C is x, y, z and, if there are more, the visibility and the presence. World
landmarks are metres, x to the right of the picture, y down, z away from the
camera; landmarks of the picture are shares of its width and height.
"""
from pathlib import Path
from typing import Any

import numpy as np

from ..fileio.clips import Clip, read_array
from ..fileio.text import at, load_json, to_array
from ..skeleton.layout import LAYOUTS
from ..skeleton.skeleton_file import Skeleton
from .clip_files import files_by_name, only_file
from .estimates import Estimates, Settings, stack_bodies

SUFFIXES = ('.json', '.npy', '.npz', '.csv')
# In Python and in JavaScript.
KEYS = dict(
    world=('pose_world_landmarks', 'worldLandmarks'),
    image=('pose_landmarks', 'landmarks'))
_NUM_JOINTS = 33
# Numbers in a line that holds a frame.
_FLAT = tuple(_NUM_JOINTS * columns for columns in (3, 4, 5))


def find_videos(folder: Path,
                settings: Settings) -> dict[str, tuple[Path, ...]]:
    """Find the file of each clip.

    Args:
        folder (Path): Where to look, to any depth.
        settings (Settings): How they are read.

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, sorted.
    """
    return files_by_name(folder, SUFFIXES)


def _landmark(item: Any) -> list[Any]:
    if not isinstance(item, dict) or not {'x', 'y', 'z'} <= set(item):
        raise ValueError('expected a landmark with x, y and z, got '
                         f'{item!r:.40}')
    visibility = item.get('visibility')
    return [item['x'], item['y'], item['z'],
            1. if visibility is None else visibility]


def _is_person(value: Any) -> bool:
    """Tell one person from a list of people."""
    first = value[0] if isinstance(value, list) else None
    if isinstance(first, dict):
        return 'landmark' not in first
    if isinstance(first, list):
        return bool(first) and not isinstance(first[0], (dict, list))
    return True


def _person(value: Any) -> np.ndarray:
    """Read a person, (33, 4)."""
    if isinstance(value, dict):
        value = value.get('landmark')
    if not isinstance(value, list) or not value:
        raise ValueError('expected people, each a list of landmarks, got '
                         f'{value!r:.40}')
    if isinstance(value[0], dict):
        return to_array([_landmark(item) for item in value])
    return _columns(to_array(value)[None])[0]


def _people(frame: Any, keys: tuple[str, ...]) -> np.ndarray:
    """Read the people of a frame, (P, 33, 4)."""
    if isinstance(frame, dict) and 'landmark' not in frame:
        key = next((key for key in keys if key in frame), None)
        if key is None:
            raise ValueError(f'expected {" or ".join(keys)}, got '
                             f'{", ".join(map(repr, frame)) or "nothing"}')
        frame = frame[key]
    if frame is None or frame == []:
        return stack_bodies([])
    people = [frame] if _is_person(frame) else frame
    return stack_bodies([_person(person) for person in people])


def _frames(items: list, keys: tuple[str, ...]) -> list[np.ndarray]:
    frames = []
    for t, item in enumerate(items):
        with at(f'frame {t}'):
            frames.append(_people(item, keys))
    return frames


def _columns(array: np.ndarray) -> np.ndarray:
    """Bring an array (..., 33, C) to x, y, z and visibility."""
    if array.ndim == 2 and array.shape[1] in _FLAT:
        array = array.reshape(len(array), _NUM_JOINTS, -1)
    if array.dtype.kind not in 'fiu' or array.ndim not in (3, 4) or (
            not array.size or array.shape[-2] != _NUM_JOINTS
            or array.shape[-1] not in (3, 4, 5)):
        raise ValueError('expected landmarks (T, 33, C), (T, 33 x C) or (M, '
                         f'T, 33, C), C from 3 to 5, got {array.dtype} '
                         f'{array.shape}')
    array = np.asarray(array, np.float64)
    if array.shape[-1] > 3:
        return array[..., :4]
    there = array.any(axis=-1, keepdims=True)
    return np.concatenate([array, there], axis=-1)


def _is_array(items: list) -> bool:
    """Tell nested lists of numbers, with somebody in each frame."""
    for item in items:
        while isinstance(item, list) and item:
            item = item[0]
        if not isinstance(item, (int, float)):
            return False
    return True


def read_video(paths: tuple[Path, ...], settings: Settings) -> Estimates:
    """Read the landmarks of a video.

    Args:
        paths (tuple[Path, ...]): Its file.
        settings (Settings): ``landmarks`` and ``skeleton`` are used;
            landmarks of the picture need ``img_shape``.

    Returns:
        Estimates: World landmarks in three dimensions, or those of the
        picture in pixels.

    Raises:
        ValueError: If the file is malformed, or one of two. Names it.
    """
    path, kind = only_file(paths), settings.landmarks
    with at(str(path)):
        data: Any = (load_json(path) if path.suffix.lower() == '.json' else
                     read_array(Clip(path, _NUM_JOINTS)))
        is_read = isinstance(data, np.ndarray)
        if not is_read and (not isinstance(data, list) or not data):
            raise ValueError('expected a list with an item for each frame, '
                             f'got {data!r:.40}')
        followed = is_read or _is_array(data)
        if followed:
            array = _columns(data if is_read else to_array(data))
            bodies = array if array.ndim == 4 else array[None]
            frames = list(bodies.swapaxes(0, 1))
        else:
            frames = _frames(data, KEYS[kind])
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
    given = settings.skeleton
    return Estimates(frames, skeleton if given is None else given, followed)
