"""Annotation files. Nothing that an untrusted file holds is run.

The suffix tells MMAction2's pickles from the .npz files of
``annotations_npz.py``.
"""
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, Callable, Union

import numpy as np

from .annotations_npz import read_npz, write_npz
from .atomic import replacing
from .plain_dtypes import PlainDtypes

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray',
                  'numpy.core.numeric', 'numpy._core.numeric')
# A pickle's own functions have these names in NumPy 1 and 2.
_scalar: Any = np.int64(0).__reduce__()[0]
_frombuffer: Any = np.empty(0).__reduce_ex__(5)[0]
# Protocols up to 2 name them after `__builtin__`.
_PLAIN = {
    **{(module, x.__name__): x
       for x in (bytearray, bytes, complex, frozenset, set)
       for module in ('builtins', '__builtin__')},
    ('collections', 'OrderedDict'): OrderedDict,
}


class PlainUnpickler(pickle.Unpickler):
    """Loads built-in containers, strings, numbers and NumPy arrays only.

    A pickle may call whatever it names, so all else is refused. Both the
    names of NumPy 1 and those of NumPy 2 are known.

    Args:
        file (BinaryIO): The pickle.
    """

    def __init__(self, file: BinaryIO) -> None:
        # Strings of Python 2 have no encoding.
        super().__init__(file, encoding='latin1')
        self._dtypes = PlainDtypes('[biufc][0-9]{1,2}|[SU][0-9]{1,9}|O[48]?')
        # Bound methods: a pickle can set attributes of functions.
        self._own: dict[tuple[str, str], Any] = {
            ('_codecs', 'encode'): self._encode,
            **{(module, name): method
               for name, method in (('ndarray', None),
                                    ('dtype', self._dtypes.make),
                                    ('scalar', self._scalar),
                                    ('_reconstruct', self._reconstruct),
                                    ('_frombuffer', self._frombuffer))
               for module in _NUMPY_MODULES}
        }

    def find_class(self, module: str, name: str) -> Any:
        """Return the object that a name in the pickle stands for."""
        for table in (self._own, _PLAIN):
            if (module, name) in table:
                return table[module, name]
        raise pickle.UnpicklingError(
            f'it asks for {module}.{name}, only containers, strings, numbers '
            'and NumPy arrays are loaded')

    def load(self) -> Any:
        """Load the pickle and check the dtypes that it has made."""
        data = super().load()
        self._dtypes.check()
        return data

    def _encode(self, text: str, encoding: str) -> bytes:
        # Protocols up to 2 write bytes like this; no other codec is needed.
        return text.encode('latin1')

    def _scalar(self, dtype: np.dtype, data: Any) -> Any:
        self._dtypes.check_one(dtype)
        return _scalar(dtype, data)

    def _reconstruct(self, subtype: Any, shape: Any,
                     code: Any) -> np.ndarray:
        # The state that follows in the pickle says what is in it.
        return np.ndarray((0, ), 'b')

    def _frombuffer(self, *args: Any) -> np.ndarray:
        return _frombuffer(*args)


def load_plain(path: Union[str, Path], trusted: bool = False) -> Any:
    """Load a pickle that holds plain data.

    Args:
        path (str | Path): The file.
        trusted (bool): Load whatever it holds, which runs whatever it asks
            for. Defaults to False.

    Returns:
        Any: What it holds.

    Raises:
        OSError: If there is no such file.
        ValueError: If it holds something else or is broken.
    """
    try:
        with open(path, 'rb') as f:
            if trusted:
                return pickle.load(f, encoding='latin1')
            return PlainUnpickler(f).load()
    except OSError as error:
        raise type(error)(f'{path}: {error.strerror or error}') from error
    # What a broken pickle raises depends on where it is broken.
    except Exception as error:
        raise ValueError(f'{path}: no pickle of plain data: '
                         f'{_reason(error, path)}') from error


def load_annotations(path: Union[str, Path],
                     trusted: bool = False,
                     with_arrays: bool = True) -> dict[str, Any]:
    """Load annotations in MMAction2's format.

    Args:
        path (str | Path): A pickle, or an .npz of :func:`save_annotations`.
        trusted (bool): Load whatever a pickle holds, which runs whatever it
            asks for. Defaults to False: plain containers, strings, numbers
            and NumPy arrays only.
        with_arrays (bool): Whether the clips' arrays are needed. If not, an
            .npz is read without them: they have the right shape, and zeros.
            Defaults to True.

    Returns:
        dict: ``split``, name -> names of clips, empty if the file has none;
        ``annotations``, a list of dicts with ``frame_dir``,
        ``total_frames``, ``keypoint`` (M, T, V, C) and more; ``skeleton``,
        the name of a layout or a dict with ``joints`` and ``parents``, and
        ``classes``, a list of names, if the file has them; and any other
        entry of the file.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is broken, has another structure or, unless it is
            trusted, asks for anything else. Names the file.
    """
    data: Any
    if str(path).endswith('.npz'):
        try:
            data = read_npz(path, with_arrays)
        except OSError as error:
            raise type(error)(f'{path}: {error.strerror or error}') from error
        except Exception as error:
            raise ValueError(f'{path}: no .npz of annotations: '
                             f'{_reason(error, path)}') from error
    else:
        try:
            data = load_plain(path, trusted)
        except ValueError as error:
            if 'it asks for' not in str(error):
                raise
            raise ValueError(
                f'{error}; if you trust it, trusted=True of the dataset loads '
                'it all the same, and tools/data/convert_annotations.py '
                '--trusted makes a plain file of it') from error
    # Files without splits may be the bare list.
    if isinstance(data, list):
        data = dict(annotations=data)
    try:
        _check(data)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    data.setdefault('split', {})
    return data


def _reason(error: Exception, path: Union[str, Path]) -> str:
    if not os.path.getsize(path):
        return 'the file is empty'
    text = str(error) or type(error).__name__
    return ''.join(c if c.isprintable() else '?' for c in text)


_WANTED: tuple[tuple[str, Any], ...] = (('frame_dir', str),
                                        ('total_frames', (int, np.integer)),
                                        ('keypoint', np.ndarray))


def _check(data: Any) -> None:
    wanted = "expected MMAction2's annotations, a dict with split and " \
        'annotations'
    if not isinstance(data, dict):
        raise ValueError(f'{wanted}, got {type(data).__name__}')
    for key, kind in (('annotations', list), ('split', dict)):
        if key not in data:
            if key == 'annotations':
                keys = ', '.join(f'{x!r:.30}' for x in list(data)[:5])
                raise ValueError(f'{wanted}, got one with the keys '
                                 f'{keys or "()"}')
        elif not isinstance(data[key], kind):
            raise ValueError(f'{wanted}, got {type(data[key]).__name__} as '
                             f'{key}')
    for name, names in data.get('split', {}).items():
        if not isinstance(names, (list, tuple, set, frozenset, np.ndarray)):
            raise ValueError(f'split {name!r} is of type '
                             f'{type(names).__name__}, not a list of names')
    check_skeleton(data.get('skeleton', ''))
    classes = data.get('classes', [])
    if not isinstance(classes, (list, tuple)) or not all(
            isinstance(name, str) for name in classes):
        raise ValueError(f'classes must be a list of names, got '
                         f'{classes!r:.60}')
    for i, clip in enumerate(data['annotations']):
        if not isinstance(clip, dict):
            raise ValueError(f'annotation {i}: expected a dict, got '
                             f'{type(clip).__name__}')
        for key, kind in _WANTED:
            if not isinstance(clip.get(key), kind):
                _fail(i, clip, key)


# The keys of a skeleton that is a dict, and what each must be.
_SKELETON: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ('joints', 'a list of names', lambda x: _is_list_of(x, str)),
    ('parents', 'a list of integers', lambda x: _is_list_of(x, int)),
    ('center', 'an integer', lambda x: type(x) is int),
    ('shoulders', 'a pair of integers, or None',
     lambda x: x is None or _is_list_of(x, int) and len(x) == 2),
    ('name', 'a string', lambda x: isinstance(x, str)))


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, (list, tuple)) and all(
        type(item) is kind for item in value)


def check_skeleton(skeleton: Any) -> None:
    """Check the types of a skeleton's entries.

    ``Layout``, which this folder does not know, checks that the parents are
    one tree.

    Args:
        skeleton (Any): Wanted are the name of a layout, or a dict with
            ``joints``, ``parents`` and maybe ``center``, ``shoulders`` and
            ``name``.

    Raises:
        ValueError: If it is anything else. Names the key.
    """
    if isinstance(skeleton, str):
        return
    if not isinstance(skeleton, dict):
        raise ValueError('skeleton must be the name of a layout or a dict, '
                         f'got {type(skeleton).__name__}')
    for key in ('joints', 'parents'):
        if key not in skeleton:
            raise ValueError(f'skeleton has no {key}')
    for key, wanted, fits in _SKELETON:
        if key in skeleton and not fits(skeleton[key]):
            raise ValueError(f'{key} of the skeleton must be {wanted}, got '
                             f'{skeleton[key]!r:.60}')
    unknown = sorted(map(str, set(skeleton) - {x[0] for x in _SKELETON}))
    if unknown:
        raise ValueError(f'skeleton has the unknown key {unknown[0]!r:.30}, '
                         f'known are {", ".join(x[0] for x in _SKELETON)}')


def _fail(i: int, clip: dict, key: str) -> None:
    if key not in clip:
        raise ValueError(f'annotation {i}: no {key}')
    raise ValueError(f'annotation {i}: {key} is of type '
                     f'{type(clip[key]).__name__}')


def save_annotations(data: dict[str, Any], path: Path) -> None:
    """Write annotations; ``path`` holds the old file or the whole new one.

    Args:
        data (dict): ``split``, ``annotations`` and more.
        path (Path): File to write, an .npz if that is its suffix, else a
            pickle. Its folder is made if it is missing.

    Raises:
        ValueError: If something does not go into an .npz.
    """
    with replacing(path) as part, open(part, 'wb') as f:
        if path.suffix == '.npz':
            write_npz(data, f)
        else:
            # Fixed: same data, same bytes. Below 5 every array is copied and
            # kept until the end.
            pickle.dump(data, f, protocol=5)
