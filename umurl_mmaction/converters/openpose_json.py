"""Files that OpenPose writes with ``--write_json``, one a frame.

``VIDEO_000000000000_keypoints.json`` has ``people``, each with
``pose_keypoints_2d``: x, y and confidence of each joint, in pixels of the
video (``doc/02_output.md`` of OpenPose).
"""
import re
from pathlib import Path

import numpy as np

from ..fileio.text import at, load_json
from .estimates import (
    Estimates,
    Settings,
    flat_joints,
    stack_bodies,
    steady_frames,
)

SIZES = {18: 'openpose', 25: 'body_25'}
_NAME = re.compile(r'(.*?)_?([0-9]+)_keypoints\.json')


def find_videos(folder: Path,
                settings: Settings) -> dict[str, tuple[Path, ...]]:
    """Find the files of each clip.

    Args:
        folder (Path): Where to look, to any depth.
        settings (Settings): How they are read.

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, sorted: the path
        without what follows ``VIDEO``, or that of a folder called ``VIDEO``,
        too.
    """
    found: dict[str, list[tuple[int, Path]]] = {}
    for file in sorted(folder.rglob('[!.]*_keypoints.json')):
        match = _NAME.fullmatch(file.name)
        place = file.parent.relative_to(folder)
        if match is None:
            video, number = file.name[:-len('_keypoints.json')], 0
        else:
            video, number = match[1], int(match[2])
        if video and video != place.name:
            place /= video
        found.setdefault(place.as_posix(), []).append((number, file))
    return {
        name: tuple(file for _, file in sorted(files))
        for name, files in sorted(found.items())
    }


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(f'{path}: expected the number of the frame in front '
                         'of _keypoints.json')
    return int(match[2])


def _read_frame(path: Path) -> np.ndarray:
    """Read the people of a frame, (P, V, 3)."""
    data = load_json(path)
    people = data.get('people') if isinstance(data, dict) else None
    if not isinstance(people, list):
        raise ValueError("expected OpenPose's dict with a list of people")
    bodies = []
    for i, person in enumerate(people):
        with at(f'person {i}'):
            if not isinstance(person, dict) or (
                    'pose_keypoints_2d' not in person):
                raise ValueError('expected a dict with pose_keypoints_2d, got '
                                 f'{person!r:.40}')
            bodies.append(
                flat_joints(person['pose_keypoints_2d'], 'pose_keypoints_2d'))
    return stack_bodies(bodies)


def read_video(paths: tuple[Path, ...], settings: Settings) -> Estimates:
    """Read the frames of a video.

    Args:
        paths (tuple[Path, ...]): A file a frame.
        settings (Settings): ``skeleton`` is used.

    Returns:
        Estimates: 18 or 25 joints in pixels.

    Raises:
        ValueError: If a file is malformed or lost. Names it.
    """
    with at(str(paths[0].parent)):
        steady_frames([_number(path) for path in paths], 'frame')
    frames = []
    for path in paths:
        with at(str(path)):
            frames.append(_read_frame(path))
    skeleton = settings.skeleton
    sizes = [frame.shape[1] for frame in frames if len(frame)]
    if skeleton is None and sizes:
        skeleton = SIZES.get(sizes[0])
        if skeleton is None:
            raise ValueError(
                f'{paths[0]}: {sizes[0]} joints are neither the 25 nor the 18 '
                'of OpenPose: --skeleton must say what they are')
    return Estimates(frames, skeleton)
