"""Annotation files, of strangers too: nothing that they hold is run.

They are MMAction2's pickles or, by the suffix, the .npz files of
``annotation_npz.py``.
"""
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, Union

import numpy as np

from .annotations_npz import read_npz, write_npz
from .atomic import replacing
from .plain_dtypes import PlainDtypes

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray',
                  'numpy.core.numeric', 'numpy._core.numeric')
# Asking a pickle for them works in NumPy 1 and 2.
_scalar: Any = np.int64(0).__reduce__()[0]
_frombuffer: Any = np.empty(0).__reduce_ex__(5)[0]
# Each as protocols up to 2 name it, too.
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
        """What stands for a name in the pickle."""
        for table in (self._own, _PLAIN):
            if (module, name) in table:
                return table[module, name]
        raise pickle.UnpicklingError(
            f'it asks for {module}.{name}, only containers, strings, numbers '
            'and NumPy arrays are loaded')

    def load(self) -> Any:
        """Load it."""
        data = super().load()
        self._dtypes.check()
        return data

    def _encode(self, text: str, encoding: str) -> bytes:
        # As protocols up to 2 write bytes; other codecs have no business
        # here.
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
                     trusted: bool = False) -> dict[str, Any]:
    """Load annotations in MMAction2's format.

    Args:
        path (str | Path): A pickle, or an .npz of :func:`save_annotations`.
        trusted (bool): Load whatever a pickle holds, which runs whatever it
            asks for. Defaults to False: plain containers, strings, numbers
            and NumPy arrays only.

    Returns:
        dict: ``split``, name -> names of clips, empty if the file has none;
        ``annotations``, a list of dicts with ``frame_dir``,
        ``total_frames``, ``keypoint`` (M, T, V, C) and more; and what else
        the file has.

    Raises:
        OSError: If there is no such file.
        ValueError: If it is broken, has another structure or, unless it is
            trusted, asks for anything else. Names the file.
    """
    data: Any
    if str(path).endswith('.npz'):
        try:
            data = read_npz(path)
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
    for i, clip in enumerate(data['annotations']):
        if not isinstance(clip, dict):
            raise ValueError(f'annotation {i}: expected a dict, got '
                             f'{type(clip).__name__}')
        for key, kind in _WANTED:
            if not isinstance(clip.get(key), kind):
                _fail(i, clip, key)


def _fail(i: int, clip: dict, key: str) -> None:
    if key not in clip:
        raise ValueError(f'annotation {i}: no {key}')
    raise ValueError(f'annotation {i}: {key} is of type '
                     f'{type(clip[key]).__name__}')


def save_annotations(data: dict[str, Any], path: Path) -> None:
    """Write annotations; ``path`` holds the old file or the whole new one.

    Args:
        data (dict): ``split`` and ``annotations``.
        path (Path): File to write, an .npz if that is its suffix, else a
            pickle. Its folder is made if need be.

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
