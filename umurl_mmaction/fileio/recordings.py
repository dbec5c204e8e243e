"""Recordings from files, of one or of many."""
from pathlib import Path
from typing import Any, Optional

from .annotations import clips_of_split, load_annotations
from .annotations_npz import is_annotations
from .clips import SUFFIXES, Clip, read_clip


def read_recordings(path: Path, input_shape: tuple[int, ...],
                    split: Optional[str],
                    takes_score: bool = False) -> list[dict[str, Any]]:
    """Read the annotations of a file, or its array as one.

    Args:
        path (Path): File with an array, or annotations.
        input_shape (tuple[int]): (M, T, V, C) of the encoder.
        split (str, optional): Split of the annotations; None for all clips.
        takes_score (bool): Whether the model's pipeline takes a score as the
            last coordinate of an array, and refuses what else does not fit.
            Defaults to False: an array has C coordinates.

    Returns:
        list[dict]: Annotations with ``frame_dir`` and ``keypoint`` (M, T, V,
        C).

    Raises:
        ValueError: If there is no such split, or no clip in it.
    """
    if path.suffix.lower() in SUFFIXES and not is_annotations(path):
        *_, num_joints, coords = input_shape
        keypoint = read_clip(
            Clip(path, num_joints, None if takes_score else coords))
        return [dict(frame_dir=str(path), keypoint=keypoint)]
    if path.suffix not in ('.pkl', '.npz'):
        raise ValueError(f'{path}: expected a clip ({", ".join(SUFFIXES)}) or '
                         'annotations (.pkl, .npz)')
    clips = clips_of_split(load_annotations(path), split, str(path))
    if not clips:
        raise ValueError(f'{path}: expected clips, got none')
    return clips
