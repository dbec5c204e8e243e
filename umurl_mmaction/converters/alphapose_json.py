"""Results that AlphaPose writes as JSON, a file a video.

By default it is a list of people, each with ``image_id``, the name of the
picture, and ``keypoints``: x, y and confidence of each joint, in pixels
(``write_json`` in ``alphapose/utils/pPose_nms.py``). The pictures of a video
are ``0.jpg``, ``1.jpg`` and so on; one without anybody has no entry.
"""
import re
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from ..fileio.text import at, load_json
from .clip_files import files_by_name, only_file
from .estimates import Estimates, Settings, flat_joints, stack_bodies

# By number of keypoints: the layout and how many of them it has, the body
# and the feet.
SIZES = {
    17: ('coco', 17),
    26: ('halpe26', 26),
    133: ('coco-wholebody', 23),
    136: ('halpe26', 26)
}
# What AlphaPose calls its file.
_FILE = 'alphapose-results.json'
# Frames from the first person to the last one, for each with somebody.
_MOST_EMPTY = 100


def _clip(file: Path) -> Path:
    return file.parent if file.name == _FILE else file.with_suffix('')


def find_videos(folder: Path,
                settings: Settings) -> dict[str, tuple[Path, ...]]:
    """Find the file of each clip.

    Args:
        folder (Path): Where to look, to any depth.
        settings (Settings): How they are read.

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, sorted: the path
        without ``.json``, or the folder of an ``alphapose-results.json``.
    """
    return files_by_name(folder, ['.json'], _clip)


def _number(person: dict[str, Any]) -> int:
    """Find the number of a person's frame, the last in its name."""
    image = person['image_id']
    if type(image) is int:
        return image
    numbers = re.findall(r'[0-9]+', Path(str(image)).stem)
    if not numbers:
        raise ValueError(f'expected a number in image_id, got {image!r:.40}')
    return int(numbers[-1])


def _person(item: Any) -> tuple[int, np.ndarray]:
    """Read a person: the number of the frame, and (V, 3)."""
    if not isinstance(item, dict) or not {'image_id', 'keypoints'} <= set(
            item):
        raise ValueError('expected a dict with image_id and keypoints, got '
                         f'{item!r:.40}')
    return _number(item), flat_joints(item['keypoints'], 'keypoints')


def read_video(paths: tuple[Path, ...], settings: Settings) -> Estimates:
    """Read the people of a video.

    Args:
        paths (tuple[Path, ...]): Its file.
        settings (Settings): ``skeleton`` is used.

    Returns:
        Estimates: From the first to the last frame with somebody, in pixels.
        Of whole bodies without a skeleton of their own, body and feet.

    Raises:
        ValueError: If the file is malformed, or one of two. Names it.
    """
    path, skeleton = only_file(paths), settings.skeleton
    with at(str(path)):
        data = load_json(path)
        if not isinstance(data, list):
            raise ValueError(
                "expected AlphaPose's list of people, as it writes without "
                f'--format, got {type(data).__name__}')
        people: dict[int, list[np.ndarray]] = {}
        for i, item in enumerate(data):
            with at(f'person {i}'):
                number, body = _person(item)
                people.setdefault(number, []).append(body)
        if skeleton is None and people:
            size = len(next(iter(people.values()))[0])
            if size not in SIZES:
                raise ValueError(f'{size} keypoints are none of '
                                 f'{", ".join(map(str, SIZES))}: --skeleton '
                                 'must say what they are')
            skeleton, kept = SIZES[size]
            people = {
                number: [body[:kept] if len(body) == size else body
                         for body in bodies]
                for number, bodies in people.items()
            }
        return Estimates(_frames(people), skeleton)


def _frames(people: dict[int, list[np.ndarray]]) -> list[np.ndarray]:
    """Put the people in their frames; those between are empty."""
    if not people:
        return [stack_bodies([])]
    first, last = min(people), max(people)
    # Of every second picture, each has a number.
    step = gcd(*(number - first for number in people)) or 1
    num_frames = (last - first) // step + 1
    if num_frames > _MOST_EMPTY * len(people):
        raise ValueError(f'expected the frames of a video, got {len(people)} '
                         f'from {first} to {last}')
    return [
        stack_bodies(people.get(first + i * step, []))
        for i in range(num_frames)
    ]
