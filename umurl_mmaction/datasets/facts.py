"""What an annotation file says of its clips as a whole."""
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Optional

from ..fileio.annotations import check_is_there, load_annotations
from ..skeleton.layout import Layout, build_layout
from .check_clip import check_clip


@dataclass(frozen=True)
class DataFacts:
    """Facts about the clips of an annotation file.

    Attributes:
        layout (Layout, optional): The file's ``skeleton``; None if it has
            none.
        num_person (int): Largest number of bodies M of a clip.
        in_channels (int): Number of coordinates C.
        num_classes (int): Number of ``classes``, else the largest label
            plus 1; 0 if there are no labels.
    """
    layout: Optional[Layout]
    num_person: int
    in_channels: int
    num_classes: int


def layout_of(data: dict[str, Any], ann_file: str) -> Optional[Layout]:
    """Build the layout that annotations carry.

    Args:
        data (dict): Annotations of ``load_annotations``.
        ann_file (str): Their file, for messages.

    Returns:
        Layout | None: The layout, None if they carry none.

    Raises:
        ValueError: If ``skeleton`` is no layout. Names the file.
    """
    if 'skeleton' not in data:
        return None
    try:
        return build_layout(data['skeleton'])
    except ValueError as error:
        raise ValueError(f'{ann_file}: skeleton: {error}') from None


def read_facts(ann_file: str) -> DataFacts:
    """Read the facts of an annotation file.

    The coordinates of an .npz are not read. A pickle is read as a whole, but
    only once in a process while it stays the same.

    Args:
        ann_file (str): A pickle or an .npz.

    Returns:
        DataFacts: The facts.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is broken, has no clip, or its clips do not agree
            in joints and coordinates. Names the file.
    """
    status = check_is_there(ann_file)
    return _read_facts(ann_file, status.st_size, status.st_mtime_ns)


def load_clips(ann_file: str,
               trusted: bool = False,
               with_arrays: bool = True) -> dict[str, Any]:
    """Load annotations, with a check of each clip.

    Args:
        ann_file (str): A pickle or an .npz.
        trusted (bool): As for ``load_annotations``. Defaults to False.
        with_arrays (bool): As for ``load_annotations``. Defaults to True.

    Returns:
        dict: Those of ``load_annotations``, with one clip or more.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is broken, has no clip, or one will not do. Names
            the file.
    """
    data = load_annotations(ann_file, trusted, with_arrays)
    if not data['annotations']:
        raise ValueError(f'{ann_file}: it has no clip')
    for clip in data['annotations']:
        check_clip(clip, ann_file)
    return data


def wrong_sizes(clips: Sequence[dict], ann_file: str) -> ValueError:
    """Make the error of clips that differ, or have other coordinates."""
    sizes = sorted({clip['keypoint'].shape[2:] for clip in clips})
    return ValueError(f'{ann_file}: wanted are 2 or 3 coordinates and one '
                      f'number of joints, got {sizes}')


@lru_cache(maxsize=16)
def _read_facts(ann_file: str, size: int, mtime: int) -> DataFacts:
    data = load_clips(ann_file, with_arrays=False)
    clips = data['annotations']
    first = clips[0]['keypoint'].shape
    for clip in clips:
        if clip['keypoint'].shape[2:] != first[2:]:
            raise ValueError(
                f'clip {clip["frame_dir"]!r} of {ann_file!r} has keypoint '
                f'{clip["keypoint"].shape}, the first clip {first}: joints '
                'and coordinates must agree')
    return facts_of(data, ann_file)


def facts_of(data: dict[str, Any], ann_file: str) -> DataFacts:
    """Collect the facts of annotations with one clip or more.

    Args:
        data (dict): Annotations of ``load_annotations``.
        ann_file (str): Their file, for messages.

    Returns:
        DataFacts: The facts.

    Raises:
        ValueError: If ``skeleton`` is no layout. Names the file.
    """
    shapes = [clip['keypoint'].shape for clip in data['annotations']]
    labels = [clip['label'] for clip in data['annotations']
              if clip.get('label') is not None]
    return DataFacts(
        layout=layout_of(data, ann_file),
        num_person=max(shape[0] for shape in shapes),
        in_channels=shapes[0][-1],
        num_classes=len(data.get('classes', ())) or
        int(max(labels, default=-1)) + 1)
