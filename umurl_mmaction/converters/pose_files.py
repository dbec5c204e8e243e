"""The files of pose estimators, whichever format they have."""
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ..fileio.text import at
from .clip_files import without
from .estimates import Pose, Settings, to_pose

# The module of this folder that reads each.
READERS = dict(
    mmpose='mmpose_json',
    openpose='openpose_json',
    alphapose='alphapose_json',
    mediapipe='mediapipe_landmarks',
    bvh='bvh')
# How the names of their files end.
ENDS = dict(
    mmpose='.json',
    openpose='_keypoints.json',
    alphapose='.json',
    mediapipe='.json, .npy, .npz or .csv',
    bvh='.bvh')


class Video(NamedTuple):
    """The files of a clip.

    ``img_shape`` replaces that of the settings.
    """
    paths: tuple[Path, ...]
    img_shape: Optional[tuple[int, int]] = None


def _reader_of(source: str) -> Any:
    return import_module(f'.{READERS[source]}', __package__)


def find_videos(source: str,
                folder: Path,
                settings: Settings,
                ignored: Iterable[Path] = ()) -> dict[str, tuple[Path, ...]]:
    """Find the files of each clip.

    Args:
        source (str): A key of :data:`READERS`.
        folder (Path): Where to look, to any depth.
        settings (Settings): How they are read.
        ignored (Iterable[Path]): Files that are of no clip. Defaults to ().

    Returns:
        dict[str, tuple[Path, ...]]: By name of the clip, sorted.

    Raises:
        ValueError: If there is none, or the reader is not installed.
    """
    if not folder.is_dir():
        raise ValueError(f'{folder} is no folder')
    videos = without(
        _reader_of(source).find_videos(folder, settings), ignored)
    if not videos:
        raise ValueError(f'{folder}: no files of {source} ({ENDS[source]})')
    return videos


def read_pose(source: str, settings: Settings, video: Video) -> Pose:
    """Read a clip.

    Raises:
        ValueError: If a file is malformed. Names it.
    """
    if video.img_shape is not None:
        settings = replace(settings, img_shape=video.img_shape)
    found = _reader_of(source).read_video(video.paths, settings)
    with at(str(video.paths[0])):
        return to_pose(found, settings)
