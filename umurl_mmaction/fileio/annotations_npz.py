"""Annotations as an .npz: arrays only, which no reader has to trust.

The arrays are called after their place in MMAction2's annotations. Of each
key of the clips there is one array for all of them:

- ``annotations/frame_dir``, ``annotations/label``, ...: a value a clip.
- ``annotations/keypoint``: the frames of all clips and bodies one after the
  other, (sum of M*T, V, C), and likewise for other keys that are arrays;
  ``annotations/keypoint.shape`` has each clip's shape and
  ``annotations/keypoint.offset`` its first row.
- ``annotations/label.clips``: which clips have the key, if not all do.

``split/NAME`` has the names of a split's clips, ``NAME`` what else there is.
``format`` is a JSON that says what kind each of them is of.
"""
import json
import os
import struct
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Union

import numpy as np

FORMAT = 'umurl_mmaction annotations 1'
_SCALARS: dict[type, str] = {
    bool: '?', int: 'int64', float: 'float64', str: 'U'
}
_SEQUENCES: dict[str, type] = dict(list=list, tuple=tuple)
_KINDS = 'biufcSU'


# Values and arrays --------------------------------------------------------
def _kind(value: Any) -> str:
    """Name what a value is; empty if an array cannot tell it exactly."""
    if type(value) in _SCALARS:
        return type(value).__name__
    if isinstance(value, np.ndarray):
        return 'array' if value.dtype.kind in _KINDS else ''
    if isinstance(value, np.generic):
        return 'scalar' if value.dtype.kind in _KINDS else ''
    if type(value) in (list, tuple):
        types = {type(item) for item in value} or {int}
        if len(types) == 1 and types <= set(_SCALARS):
            return f'{type(value).__name__} of {types.pop().__name__}'
    return ''


def _pack(values: list, kind: str) -> np.ndarray:
    """Make an array (N, ) or (N, K) of values that are no arrays."""
    if kind == 'scalar':
        if len({value.dtype.newbyteorder('=') for value in values}) > 1 and (
                values[0].dtype.kind not in 'SU'):
            raise ValueError('its NumPy scalars are not of one dtype')
        packed = np.array(values)
    else:
        name = kind.rpartition(' ')[2]
        packed = np.array(
            values, next(d for t, d in _SCALARS.items() if t.__name__ == name))
    # NumPy cuts zeros at the end of strings.
    if packed.dtype.kind in 'SU' and _unpack(packed, kind) != values:
        raise ValueError('its strings end with zeros')
    return packed


def _unpack(packed: np.ndarray, kind: str) -> list:
    """The values of :func:`_pack`."""
    if kind == 'scalar':
        return list(packed)
    sequence = kind.partition(' of ')[0]
    values = packed.tolist()
    return values if sequence == kind else list(
        map(_SEQUENCES[sequence], values))


class _Rows(NamedTuple):
    """Arrays of one key, one after the other."""
    arrays: Sequence[np.ndarray]
    # Of each: its shape, and its first row.
    shapes: np.ndarray
    offsets: np.ndarray
    # Of all of them.
    shape: tuple[int, ...]


def _stack(arrays: Sequence[np.ndarray]) -> _Rows:
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
    return _Rows(arrays, shapes,
                 np.cumsum(rows) - rows,
                 (int(rows.sum()), *shapes[0, axes:].tolist()))


def _unstack(data: np.ndarray, shapes: np.ndarray,
             offsets: np.ndarray) -> list[np.ndarray]:
    """The arrays of :func:`_stack`, as views."""
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


# Files --------------------------------------------------------------------
class _Writer:
    """The members of an .npz; a context.

    Unlike ``np.savez`` it needs no copy of what it writes.

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
        """Write an array that is given in parts."""
        if f'{name}.npy' in self.archive.namelist():
            raise ValueError(f'two things would be called {name!r}')
        header = dict(
            descr=np.lib.format.dtype_to_descr(dtype),
            fortran_order=False,
            shape=shape)
        with self.archive.open(f'{name}.npy', 'w', force_zip64=True) as f:
            np.lib.format.write_array_header_1_0(f, header)
            for array in arrays:
                f.write(array.tobytes())

    def write_array(self, name: str, array: Any) -> None:
        array = np.asarray(array)
        self.write(name, array.dtype, array.shape, [array])

    def write_column(self, name: str, values: list, kind: str) -> None:
        """Write what the clips have of a key."""
        if kind != 'array':
            self.write_array(name, _pack(values, kind))
            return
        rows = _stack(values)
        self.write(name, values[0].dtype, rows.shape, rows.arrays)
        self.write_array(f'{name}.shape', rows.shapes)
        self.write_array(f'{name}.offset', rows.offsets)

    def write_value(self, name: str, value: Any) -> str:
        """Write what is there once; returns its kind."""
        kind = _check_kind(value)
        self.write_array(
            name, value if kind == 'array' else _pack([value], kind)[0])
        return kind


def _check_kind(value: Any) -> str:
    kind = _kind(value)
    if not kind:
        raise ValueError(
            f'{type(value).__name__} does not go into an .npz, only numbers, '
            'strings, and arrays or lists of one kind of these; write a .pkl')
    return kind


def write_npz(data: dict[str, Any], file: BinaryIO) -> None:
    """Write annotations.

    Args:
        data (dict): ``split`` and ``annotations``.
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
            having = [i for i, clip in enumerate(clips) if key in clip]
            name = f'annotations/{key}'
            try:
                kind = _check_kind(clips[having[0]][key])
                values = [clips[i][key] for i in having]
                for i, value in zip(having, values):
                    if _kind(value) != kind:
                        raise ValueError(
                            f'{clips[i]["frame_dir"]} has '
                            f'{_check_kind(value)}, those before {kind}')
                writer.write_column(name, values, kind)
            except (OverflowError, ValueError) as error:
                raise ValueError(f'{key} of the clips: {error}') from error
            if len(having) < len(clips):
                writer.write_array(f'{name}.clips', having)
            kinds['annotations'][key] = kind
        for part, prefix, items in (('split', 'split/', data['split']),
                                    ('other', '', others)):
            for key, value in items.items():
                try:
                    kinds[part][key] = writer.write_value(
                        f'{prefix}{key}', value)
                except (OverflowError, ValueError) as error:
                    raise ValueError(f'{prefix}{key}: {error}') from error
        writer.write_array(
            'format', json.dumps(dict(format=FORMAT, kinds=kinds)))


class _Reader:
    """The members of an .npz; a context.

    Args:
        path (str | Path): The file.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = path
        self.archive = zipfile.ZipFile(path)

    def __enter__(self) -> '_Reader':
        return self

    def __exit__(self, *args: Any) -> None:
        self.archive.close()

    def __contains__(self, name: str) -> bool:
        return f'{name}.npy' in self.archive.namelist()

    def __getitem__(self, name: str) -> np.ndarray:
        with self.archive.open(f'{name}.npy') as f:
            return np.lib.format.read_array(f, allow_pickle=False)

    def read_large(self, name: str) -> np.ndarray:
        """Read a member past the zip, which takes a quarter of the time."""
        info = self.archive.getinfo(f'{name}.npy')
        with self.archive.open(info) as f:
            if info.compress_type != zipfile.ZIP_STORED or (
                    np.lib.format.read_magic(f) != (1, 0)):
                return self[name]
            shape, by_columns, dtype = (
                np.lib.format.read_array_header_1_0(f))
            count = int(np.prod(shape, dtype=object))
            size = info.file_size - f.tell()
            if by_columns or min(shape) < 0 or count * dtype.itemsize != size:
                raise ValueError(f'{name} is not whole')
            with open(self.path, 'rb') as whole:
                whole.seek(info.header_offset + 26)
                # Lengths of the name and of what else is before the data.
                start = sum(struct.unpack('<HH', whole.read(4))) + f.tell()
                whole.seek(start, os.SEEK_CUR)
                data = np.fromfile(whole, dtype, count)
        if len(data) != count:
            raise ValueError(f'{name} is not whole')
        return data.reshape(shape)

    def read_column(self, name: str, kind: str) -> list:
        """What :meth:`_Writer.write_column` wrote."""
        if kind != 'array':
            return _unpack(self[name], kind)
        return _unstack(
            self.read_large(name), self[f'{name}.shape'],
            self[f'{name}.offset'])

    def read_value(self, name: str, kind: str) -> Any:
        """What :meth:`_Writer.write_value` wrote."""
        array = self[name]
        return array if kind == 'array' else _unpack(array[None], kind)[0]


def read_npz(path: Union[str, Path]) -> dict[str, Any]:
    """Read annotations; nothing is unpickled.

    Args:
        path (str | Path): File of :func:`write_npz`.

    Returns:
        dict: What was written. The arrays of a key are views of one array.

    Raises:
        Exception: Of many types, if it is not such a file.
    """
    with _Reader(path) as file:
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
            values = file.read_column(name, kind)
            if len(values) != len(having):
                raise ValueError(f'{name} has {len(values)} values for '
                                 f'{len(having)} clips')
            for clip, value in zip(having, values):
                clip[key] = value
        split = {
            key: file.read_value(f'split/{key}', kind)
            for key, kind in kinds['split'].items()
        }
        others = {
            key: file.read_value(key, kind)
            for key, kind in kinds['other'].items()
        }
    return dict(split=split, annotations=clips, **others)


def is_annotations(path: Union[str, Path]) -> bool:
    """Whether a file is an .npz that ``write_npz`` has made."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {'format.npy', 'annotations/frame_dir.npy'} <= set(
            archive.namelist())
