"""Annotations as an .npz: arrays only, which no reader has to trust.

The arrays are named after their place in MMAction2's annotations. Each key of
the clips becomes one array for all clips:

- ``annotations/frame_dir``, ``annotations/label``, ...: a value for each clip.
- ``annotations/keypoint``: the frames of all clips and bodies one after the
  other, (sum of M*T, V, C), and likewise for other keys that are arrays;
  ``annotations/keypoint.shape`` has each clip's shape and
  ``annotations/keypoint.offset`` its first row.
- ``annotations/label.clips``: which clips have the key, if not all do.

``split/NAME`` has the names of a split's clips, ``NAME`` any other entry.
``format`` is a JSON string that names the kind of each of them.
"""
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Union

import numpy as np

from .npz import KINDS, PlainNpz, write_member

FORMAT = 'umurl_mmaction annotations 1'
_SCALARS: dict[type, str] = {
    bool: '?', int: 'int64', float: 'float64', str: 'U'
}
_SEQUENCES: dict[str, type] = dict(list=list, tuple=tuple)


# Values and arrays --------------------------------------------------------
def _kind(value: Any) -> str:
    """Name the kind of a value; '' if an array cannot hold it exactly."""
    if type(value) in _SCALARS:
        return type(value).__name__
    if isinstance(value, np.ndarray):
        return 'array' if value.dtype.kind in KINDS else ''
    if isinstance(value, np.generic):
        return 'scalar' if value.dtype.kind in KINDS else ''
    if type(value) in (list, tuple):
        types = {type(item) for item in value} or {int}
        if len(types) == 1 and types <= set(_SCALARS):
            return f'{type(value).__name__} of {types.pop().__name__}'
    if isinstance(value, dict):
        try:
            return 'json' if json.loads(json.dumps(value)) == value else ''
        except (TypeError, ValueError):
            return ''
    return ''


def _pack(values: list, kind: str) -> np.ndarray:
    """Make an array (N, ) or (N, K) of values that are no arrays."""
    if kind == 'scalar':
        if len({value.dtype.newbyteorder('=') for value in values}) > 1 and (
                values[0].dtype.kind not in 'SU'):
            raise ValueError('its NumPy scalars are not of one dtype')
        packed = np.array(values)
    elif kind == 'json':
        packed = np.array([json.dumps(value) for value in values])
    else:
        name = kind.rpartition(' ')[2]
        packed = np.array(
            values, next(d for t, d in _SCALARS.items() if t.__name__ == name))
    # NumPy cuts zeros at the end of strings.
    if packed.dtype.kind in 'SU' and _unpack(packed, kind) != values:
        raise ValueError('its strings end with zeros')
    return packed


def _unpack(packed: np.ndarray, kind: str) -> list:
    """Return the values that :func:`_pack` was given."""
    if kind == 'scalar':
        return list(packed)
    values = packed.tolist()
    if kind == 'json':
        return [json.loads(value) for value in values]
    sequence = kind.partition(' of ')[0]
    return values if sequence == kind else list(
        map(_SEQUENCES[sequence], values))


class _Rows(NamedTuple):
    """Shape and place of arrays that stand one after the other.

    Attributes:
        shapes (np.ndarray): Shape of each array, (N, D).
        offsets (np.ndarray): First row of each array, (N, ).
        shape (tuple[int]): Shape of all of them together.
    """
    shapes: np.ndarray
    offsets: np.ndarray
    shape: tuple[int, ...]


def _stack(arrays: list) -> _Rows:
    """Lay out arrays: the first two axes become rows, more if need be."""
    if len({array.dtype for array in arrays}) > 1:
        raise ValueError('its arrays are not of one dtype')
    if len({array.ndim for array in arrays}) > 1:
        raise ValueError('its arrays have not the same number of axes')
    shapes = np.array([array.shape for array in arrays], np.int64)
    axes = min(2, shapes.shape[1])
    while (shapes[:, axes:] != shapes[0, axes:]).any():
        axes += 1
    rows = shapes[:, :axes].prod(axis=1)
    return _Rows(shapes,
                 np.cumsum(rows) - rows,
                 (int(rows.sum()), *shapes[0, axes:].tolist()))


def _unstack(data: np.ndarray, shapes: np.ndarray,
             offsets: np.ndarray) -> list[np.ndarray]:
    """Cut the rows into the arrays of :func:`_stack`, as views."""
    axes = shapes.shape[1] - data.ndim + 1
    rows = shapes[:, :axes].prod(axis=1)
    if (axes < 0 or (shapes < 0).any()
            or (shapes[:, axes:] != data.shape[1:]).any()
            or not np.array_equal(offsets, np.cumsum(rows) - rows)
            or rows.sum() != len(data)):
        raise ValueError('shapes and offsets do not go with the data')
    return [
        data[first:last].reshape(shape) for first, last, shape in zip(
            offsets.tolist(), (offsets + rows).tolist(), shapes.tolist())
    ]


# Writing ------------------------------------------------------------------
class _Writer:
    """Writes the members of an .npz; a context manager.

    Args:
        file (BinaryIO): Where to write.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.archive = zipfile.ZipFile(file, 'w')

    def __enter__(self) -> '_Writer':
        return self

    def __exit__(self, *args: Any) -> None:
        self.archive.close()

    def write(self, name: str, dtype: np.dtype, shape: tuple[int, ...],
              arrays: Iterable[np.ndarray]) -> None:
        """Write one member; ``arrays`` are its rows, one after the other."""
        if f'{name}.npy' in self.archive.namelist():
            raise ValueError(f'two things would be called {name!r}')
        write_member(self.archive, name, dtype, shape, arrays)

    def write_array(self, name: str, array: Any) -> None:
        array = np.asarray(array)
        self.write(name, array.dtype, array.shape, [array])

    def write_key(self, key: str, clips: list[dict]) -> str:
        """Write the values of the clips that have a key; return their kind."""
        having = [clip for clip in clips if key in clip]
        name = f'annotations/{key}'
        try:
            kind = _kind_of_all(having, key)
            self.write_column(name, [clip[key] for clip in having], kind)
        except (OverflowError, ValueError) as error:
            raise ValueError(f'{key} of the clips: {error}') from error
        if len(having) < len(clips):
            self.write_array(f'{name}.clips', [
                i for i, clip in enumerate(clips) if key in clip])
        return kind

    def write_column(self, name: str, values: list, kind: str) -> None:
        """Write the clips' values of one key."""
        if kind != 'array':
            self.write_array(name, _pack(values, kind))
            return
        rows = _stack(values)
        self.write(name, values[0].dtype, rows.shape, values)
        self.write_array(f'{name}.shape', rows.shapes)
        self.write_array(f'{name}.offset', rows.offsets)

    def write_value(self, name: str, value: Any) -> str:
        """Write a single value; return its kind."""
        try:
            kind = _check_kind(value)
            self.write_array(
                name, value if kind == 'array' else _pack([value], kind)[0])
        except (OverflowError, ValueError) as error:
            raise ValueError(f'{name}: {error}') from error
        return kind


def _check_kind(value: Any) -> str:
    kind = _kind(value)
    if not kind:
        raise ValueError(
            f'{type(value).__name__} does not go into an .npz, only numbers, '
            'strings, arrays or lists of one kind of these, and dicts that '
            'JSON can hold; write a .pkl')
    return kind


def _kind_of_all(clips: list[dict], key: str) -> str:
    """Return the kind of a key's values, which is that of the first one."""
    kind = _check_kind(clips[0][key])
    for clip in clips:
        if _kind(clip[key]) != kind:
            raise ValueError(f'{clip["frame_dir"]} has '
                             f'{_check_kind(clip[key])}, those before {kind}')
    return kind


def write_npz(data: dict[str, Any], file: BinaryIO) -> None:
    """Write annotations.

    Args:
        data (dict): ``split``, ``annotations`` and more.
        file (BinaryIO): Where to write.

    Raises:
        ValueError: If something cannot be read back exactly. Names the key,
            and the clip.
    """
    clips = data['annotations']
    others = {
        key: value
        for key, value in data.items() if key not in ('annotations', 'split')
    }
    kinds: dict[str, dict[str, str]] = dict(annotations={}, split={}, other={})
    keys = list(dict.fromkeys(key for clip in clips for key in clip))
    for key in (*keys, *data['split'], *others):
        if not isinstance(key, str):
            raise ValueError(f'the key {key!r:.30} is no string')
    with _Writer(file) as writer:
        for key in keys:
            kinds['annotations'][key] = writer.write_key(key, clips)
        for key, names in data['split'].items():
            kinds['split'][key] = writer.write_value(f'split/{key}', names)
        for key, value in others.items():
            kinds['other'][key] = writer.write_value(key, value)
        writer.write_array(
            'format', json.dumps(dict(format=FORMAT, kinds=kinds)))


# Reading ------------------------------------------------------------------
def _read_column(file: Mapping[str, np.ndarray], name: str, kind: str,
                 with_data: bool) -> list:
    """Read what :meth:`_Writer.write_column` wrote."""
    if kind != 'array':
        return _unpack(file[name], kind)
    shapes = file[f'{name}.shape']
    if not with_data:
        nothing = np.zeros((), np.float16)
        return [np.broadcast_to(nothing, shape) for shape in shapes.tolist()]
    return _unstack(file[name], shapes, file[f'{name}.offset'])


def _read_value(file: Mapping[str, np.ndarray], name: str, kind: str) -> Any:
    """Read what :meth:`_Writer.write_value` wrote."""
    array = file[name]
    return array if kind == 'array' else _unpack(array[None], kind)[0]


def read_npz(path: Union[str, Path], with_arrays: bool = True
             ) -> dict[str, Any]:
    """Read annotations; nothing is unpickled.

    Args:
        path (str | Path): File of :func:`write_npz`.
        with_arrays (bool): Whether to read the clips' arrays. If not, arrays
            of zeros that take no memory have their shapes. Defaults to True.

    Returns:
        dict: What was written. The arrays of a key are views of one array.

    Raises:
        Exception: Of many types, if it is not such a file.
    """
    with PlainNpz(path) as file:
        if 'format' not in file:
            raise ValueError('it has no array called format')
        header = json.loads(str(file['format']))
        if header['format'] != FORMAT:
            raise ValueError(f'its format is {header["format"]!r:.60}, not '
                             f'{FORMAT!r}')
        kinds = header['kinds']
        clips: list[dict[str, Any]] = []
        if kinds['annotations']:
            clips = [{} for _ in file['annotations/frame_dir']]
        for key, kind in kinds['annotations'].items():
            name = f'annotations/{key}'
            having = clips
            if f'{name}.clips' in file:
                having = [clips[i] for i in file[f'{name}.clips'].tolist()]
            values = _read_column(file, name, kind, with_arrays)
            if len(values) != len(having):
                raise ValueError(f'{name} has {len(values)} values for '
                                 f'{len(having)} clips')
            for clip, value in zip(having, values):
                clip[key] = value
        split = {
            key: _read_value(file, f'split/{key}', kind)
            for key, kind in kinds['split'].items()
        }
        others = {
            key: _read_value(file, key, kind)
            for key, kind in kinds['other'].items()
        }
    return dict(split=split, annotations=clips, **others)


def is_annotations(path: Union[str, Path]) -> bool:
    """Tell whether a file is an .npz that ``write_npz`` has made."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {'format.npy', 'annotations/frame_dir.npy'} <= set(
            archive.namelist())
