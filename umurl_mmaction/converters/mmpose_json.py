"""Predictions that MMPose writes as JSON.

Its inferencers write a file a video, ``[{frame_id, instances}, ...]``, or a
file a picture, ``[instance, ...]`` (``mmpose/apis/inferencers/
base_mmpose_inferencer.py``); its demos put either into a dict as
``instance_info``, beside ``meta_info``. An instance has ``keypoints`` (V, C)
and ``keypoint_scores`` (V, ), in pixels, and more. Where the detector sees
nobody, there is one for the whole picture all the same
(``pose2d_inferencer.py``), which is nobody here.
"""
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np

from ..fileio.text import at, load_json, to_array
from .clip_files import files_by_name, only_file
from .estimates import (
    Estimates,
    Settings,
    joints_with_scores,
    stack_bodies,
    steady_frames,
)

# Layouts by MMPose's name of the data set, and by numbers of joints and
# coordinates where a file does not name it, as those of the inferencers.
DATASETS = dict(
    coco='coco', coco_wholebody='coco-wholebody', halpe26='halpe26',
    h36m='h36m')
SIZES = {
    (17, 2): 'coco',
    (26, 2): 'halpe26',
    (133, 2): 'coco-wholebody',
    (17, 3): 'h36m'
}
_NOBODY = 'frames without a detected person are left empty'
# `coco-wholebody` is the body and the feet of 133 keypoints.
_BODY_AND_FEET = 23


def find_videos(folder: Path,
                settings: Settings) -> dict[str, tuple[Path, ...]]:
    """Find the files of each clip.

    Args:
        folder (Path): Where to look, to any depth.
        settings (Settings): With ``images``, a folder is a clip, its files
            sorted by name, and numbers in them by value.

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, sorted.
    """
    if not settings.images:
        return files_by_name(folder, ['.json'])
    found = files_by_name(folder, ['.json'], lambda file: file.parent)
    return {
        name: tuple(sorted(paths, key=_natural))
        for name, paths in found.items()
    }


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort ``frame10`` after ``frame9``."""
    return [(int(part), '') if part.isdigit() else (-1, part)
            for part in re.split(r'(\d+)', path.stem)]


class _Frame(NamedTuple):
    """The people of a frame, (P, V, C + 1), and their boxes (P, 5).

    A box is left, top, right, bottom and score; NaN if there is none.
    """
    bodies: np.ndarray
    boxes: np.ndarray


def _box(item: dict[str, Any]) -> np.ndarray:
    try:
        box = [*np.ravel(item['bbox']), item['bbox_score']]
        return np.array(box, np.float64).reshape(5)
    except (KeyError, TypeError, ValueError):
        return np.full(5, np.nan)


def _leave_out_pictures(frames: Sequence[_Frame]
                        ) -> tuple[list[np.ndarray], str]:
    """Leave out the bodies that stand for a picture without anybody.

    Their box is the picture, with a score of 1. If all are so, no detector
    was at work.
    """
    boxes = np.concatenate([frame.boxes for frame in frames])
    right, bottom = np.fmax.reduce(boxes[:, 2:4], initial=0)
    picture = np.array([0, 0, right, bottom, 1])
    empty = [len(frame.boxes) == 1 and bool((frame.boxes == picture).all())
             for frame in frames]
    seen = sum(len(frame.boxes) > 0 for frame in frames)
    if not 0 < sum(empty) < seen:
        return [frame.bodies for frame in frames], ''
    return [stack_bodies([]) if is_empty else frame.bodies
            for frame, is_empty in zip(frames, empty)], _NOBODY


def _instances(items: Any) -> _Frame:
    """Read the people of a frame."""
    if not isinstance(items, list):
        raise ValueError('expected a list of instances, got '
                         f'{type(items).__name__}')
    bodies = []
    for i, item in enumerate(items):
        with at(f'instance {i}'):
            if not isinstance(item, dict) or not (
                    {'keypoints', 'keypoint_scores'} <= set(item)):
                raise ValueError('expected a dict with keypoints and '
                                 f'keypoint_scores, got {item!r:.40}')
            bodies.append(
                joints_with_scores(
                    to_array(item['keypoints']),
                    to_array(item['keypoint_scores'])))
    boxes = np.array([_box(item) for item in items]).reshape(-1, 5)
    return _Frame(stack_bodies(bodies), boxes)


def _is_frame(item: Any) -> bool:
    return isinstance(item, dict) and 'instances' in item


def _read(path: Path, images: bool) -> tuple[list[_Frame], Optional[str]]:
    """Read the frames of a file, and the name of its data set."""
    data = load_json(path)
    dataset = None
    if isinstance(data, dict) and 'instance_info' in data:
        meta = data.get('meta_info')
        if isinstance(meta, dict) and meta.get('dataset_name') is not None:
            dataset = str(meta['dataset_name'])
        data = data['instance_info']
    if not isinstance(data, list):
        raise ValueError("expected MMPose's predictions, a list of frames or "
                         f'of instances, got {type(data).__name__}')
    if images:
        if any(map(_is_frame, data)):
            raise ValueError('expected the instances of a picture, got the '
                             'frames of a video: leave out --images')
        return [_instances(data)], dataset
    if not data or not all(map(_is_frame, data)):
        raise ValueError('expected the frames of a video, each with frame_id '
                         'and instances; with --images, a file is a picture '
                         'and a folder is a clip')
    numbers = [item.get('frame_id') for item in data]
    for number in numbers:
        if type(number) is not int:
            raise ValueError(f'expected an integer as frame_id, got '
                             f'{number!r:.40}')
    steady_frames(numbers, 'frame_id')
    frames = []
    for item in data:
        with at(f'frame {item["frame_id"]}'):
            frames.append(_instances(item['instances']))
    return frames, dataset


def read_video(paths: tuple[Path, ...], settings: Settings) -> Estimates:
    """Read the predictions of a video.

    Args:
        paths (tuple[Path, ...]): A file, or one for each picture.
        settings (Settings): ``images`` and ``skeleton`` are used.

    Returns:
        Estimates: Of 133 keypoints without a skeleton of their own, body and
        feet. In three dimensions x grows to the left of the picture, y
        towards the camera and z up.

    Raises:
        ValueError: If a file is malformed, or one of two of a video. Names
            it.
    """
    found: list[_Frame] = []
    dataset = None
    for path in paths if settings.images else [only_file(paths)]:
        with at(str(path)):
            more, dataset = _read(path, settings.images)
            found += more
    frames, left_out = _leave_out_pictures(found)
    skeleton = settings.skeleton
    size = next((frame.shape[1:] for frame in frames if len(frame)), None)
    if skeleton is None and size is not None:
        skeleton = _layout(dataset, size[0], size[1] - 1, paths[0])
        if skeleton == 'coco-wholebody':
            frames = [frame[:, :_BODY_AND_FEET] for frame in frames]
    if size is not None and size[1] == 4:
        # MMPose turns the camera's axes (right, down, forward) into (left,
        # forward, up), which mirrors the body.
        frames = [frame * [1, -1, 1, 1] if len(frame) else frame
                  for frame in frames]
    return Estimates(frames, skeleton, left_out=left_out)


def _layout(dataset: Optional[str], num_joints: int, coords: int,
            path: Path) -> str:
    layout = DATASETS.get(dataset) if dataset is not None else SIZES.get(
        (num_joints, coords))
    if layout is None:
        name = '' if dataset is None else f' of {dataset!r:.40}'
        raise ValueError(
            f'{path}: {num_joints} keypoints{name} in {coords} coordinates '
            'are of no known layout: --skeleton must say what they are')
    return layout
