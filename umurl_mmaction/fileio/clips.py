"""Files with the array of a clip."""
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional
from zipfile import BadZipFile

import numpy as np

from .npz import PlainNpz
from .text import at, is_number, load_json, parse_numbers, read_csv, to_array

SUFFIXES = ('.npy', '.npz', '.csv', '.json')
# Columns that may stand before the coordinates in a .csv.
INDEX_COLUMNS = ('frame', 'body')
# More bodies than this, and than frames, are frames.
_MANY_BODIES = 5


class Clip(NamedTuple):
    """The file of a clip and the sizes that its array must have."""
    path: Path
    num_joints: Optional[int] = None
    coords: Optional[int] = None


def split_joints(clip: Clip, num_values: int) -> tuple[int, int]:
    """Find out how many joints and coordinates a line of a .csv has.

    Args:
        clip (Clip): Has the number of joints, of coordinates, or both.
        num_values (int): Numbers in the line.

    Returns:
        tuple[int, int]: V and C.

    Raises:
        ValueError: If that is not known or does not fit.
    """
    _, V, C = clip
    if V and C:
        if num_values != V * C:
            raise ValueError(f'expected {V * C} numbers, {V} joints of {C}, '
                             f'got {num_values}')
        return V, C
    known = V or C
    if not known:
        raise ValueError('a .csv does not tell where a joint ends, so '
                         '--num-joints or --coords is needed')
    if not num_values or num_values % known:
        hint = ''
        if num_values > 1 and (num_values - 1) % known == 0:
            hint = ('; a number in front of the coordinates wants a heading '
                    'that starts with frame')
        raise ValueError(f'expected a multiple of {known} numbers, got '
                         f'{num_values}{hint}')
    other = num_values // known
    return (known, other) if V else (other, known)


def parse_index(index: dict[str, str],
                last: Optional[int]) -> tuple[int, int]:
    """Read which frame and body a line of a .csv is about.

    Args:
        index (dict[str, str]): Fields of the columns ``frame`` and ``body``,
            of the first of them, or of none.
        last (int, optional): Frame of the previous line; None for the first
            line, whose frame is 0 or 1.

    Returns:
        tuple[int, int]: Frame and body.

    Raises:
        ValueError: If it is malformed.
    """
    for column, field in index.items():
        if not (field.isascii() and field.isdigit()):
            raise ValueError(f'expected a {column} counted from 0, got '
                             f'{field[:40]!r}')
    wanted = [0, 1] if last is None else [last + 1]
    frame = int(index.get('frame', wanted[0]))
    # Frames are in order and without gaps, so that a lost line is noticed and
    # the array is no larger than the file.
    if 'body' in index and last is not None:
        wanted.insert(0, last)
    if frame not in wanted:
        raise ValueError(f'expected frame {" or ".join(map(str, wanted))}, '
                         f'got {frame}')
    return frame, int(index.get('body', 0))


def _is_heading(fields: Sequence[str]) -> bool:
    """Tell names of columns, or their numbers as pandas writes them."""
    return not any(map(is_number, fields)) or (
        len(fields) > 3 and list(fields) == list(map(str, range(len(fields)))))


def parse_csv(clip: Clip) -> np.ndarray:
    """Read a .csv with a line a frame, or a line a frame and body.

    Args:
        clip (Clip): Has the number of joints, of coordinates, or both.

    Returns:
        np.ndarray: Float64, shape (M, T, V, C).

    Raises:
        ValueError: If it is malformed. Names the line.
    """
    lines = list(read_csv(clip.path))
    columns: list[str] = []
    if lines and _is_heading(lines[0][1]):
        for column, heading in zip(INDEX_COLUMNS, lines.pop(0)[1]):
            if column != heading.lower():
                break
            columns.append(column)
    if not lines:
        raise ValueError('expected a line a frame, the file ends')
    num_index = len(columns)
    num_values = len(lines[0][1]) - num_index
    with at(f'line {lines[0][0]}'):
        V, C = split_joints(clip, num_values)
    frame: Optional[int] = None
    poses: dict[tuple[int, int], list[float]] = {}
    for number, fields in lines:
        with at(f'line {number}'):
            pose = parse_numbers(fields[num_index:], num_values)
            frame, body = parse_index(dict(zip(columns, fields)), frame)
            if (frame, body) in poses:
                raise ValueError(f'body {body} of frame {frame} is there '
                                 'twice')
            poses[frame, body] = pose
    bodies = {body for _, body in poses}
    for (_, body), (number, _) in zip(poses, lines):
        if body >= len(bodies):
            raise ValueError(
                f'line {number}: expected bodies counted from 0 without gaps, '
                f'got {body}, but {len(bodies)} in all')
    frames = {t for t, _ in poses}
    keypoint = np.zeros((len(bodies), len(frames), V, C))
    for (t, body), pose in poses.items():
        keypoint[body, t - min(frames)] = np.reshape(pose, (V, C))
    return keypoint


def parse_npz(path: Path) -> np.ndarray:
    """Read the only array of an archive, or the one named ``keypoint``.

    Raises:
        ValueError: If it is malformed or has no such array.
    """
    try:
        with PlainNpz(path) as arrays:
            names = list(arrays)
            if len(names) != 1 and 'keypoint' not in names:
                raise ValueError('expected one array, or one named keypoint, '
                                 f'got {", ".join(names) or "none"}')
            return arrays[names[0] if len(names) == 1 else 'keypoint']
    except BadZipFile as error:
        raise ValueError(str(error)) from error


def read_array(clip: Clip) -> np.ndarray:
    """Read the array in the file of a clip.

    Args:
        clip (Clip): Its file; a .csv needs the number of joints or of
            coordinates as well.

    Returns:
        np.ndarray: Of any shape and dtype.

    Raises:
        ValueError: If it is malformed.
    """
    suffix = clip.path.suffix.lower()
    if suffix == '.npy':
        # Neither unpickles nor trusts the size that the header says.
        return np.lib.format.open_memmap(clip.path, 'r')
    if suffix == '.npz':
        return parse_npz(clip.path)
    if suffix == '.csv':
        return parse_csv(clip)
    value = load_json(clip.path)
    try:
        return to_array(value)
    except ValueError as error:
        # An array has no objects, what an estimator has found does.
        if b'{' not in clip.path.read_bytes():
            raise
        raise ValueError(f'{error}; files of a pose estimator go through '
                         'tools/data/pose_estimates.py first') from error


def _check_axes(keypoint: np.ndarray) -> None:
    """Refuse an array (M, T, V, C) whose axes stand in another order."""
    M, T, _, C = keypoint.shape
    wanted = 'expected (M, T, V, C): bodies, frames, joints, coordinates'
    if C not in (2, 3):
        raise ValueError(f'{wanted}, which are 2 or 3; got {keypoint.shape}')
    if M > max(T, _MANY_BODIES):
        raise ValueError(f'{wanted}; got {keypoint.shape}, which has more '
                         'bodies than frames')
    # Graph networks want (C, T, V, M), of which the second body may be empty.
    if (M, C) == (3, 2) and not keypoint[..., 1].any():
        raise ValueError(f'{wanted}; got {keypoint.shape}, without any '
                         'second coordinate: is it (C, T, V, M)?')


def read_clip(clip: Clip) -> np.ndarray:
    """Read the array of a clip.

    Args:
        clip (Clip): Its file and the sizes that it must have.

    Returns:
        np.ndarray: Float32, shape (M, T, V, C).

    Raises:
        ValueError: If it is malformed.
    """
    path, num_joints, coords = clip
    with at(str(path)):
        array = read_array(clip)
        if array.dtype.kind not in 'fiu' or array.ndim not in (3, 4) or (
                not array.size):
            raise ValueError('expected numbers (T, V, C) or (M, T, V, C), '
                             f'got {array.dtype} {array.shape}')
        keypoint = array if array.ndim == 4 else array[None]
        _check_axes(keypoint)
        for axis, size, what in ((2, num_joints, 'joints'),
                                 (3, coords, 'coordinates')):
            if size and keypoint.shape[axis] != size:
                raise ValueError(f'expected {size} {what}, got shape '
                                 f'{array.shape}')
        with np.errstate(over='ignore'):
            keypoint = np.array(keypoint, np.float32, order='C')
        wrong = np.argwhere(~np.isfinite(keypoint))
        if len(wrong):
            raise ValueError(
                'body {}, frame {}, joint {}: expected finite numbers'.format(
                    *wrong[0]))
        return keypoint
