"""Pickles of plain data. Nothing that an untrusted file holds is run."""
import os
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, Union

from .advice import DO_NOT_USE, may_be_data, printable
from .array_parts import (
    DtypeParts,
    frombuffer,
    no_array,
    reconstruct,
    scalar,
)
from .nesting import check_nesting
from .pickle_instructions import check_keys, fail
from .pickle_reader import Callee, PickleReader

_NUMPY_MODULES = ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray',
                  'numpy.core.numeric', 'numpy._core.numeric')
_LATIN1 = ('latin1', 'latin-1')


class UnknownNameError(pickle.UnpicklingError):
    """A pickle asks for a class that may be harmless."""


def _bytes(data: Any = b'', encoding: Any = 'latin1') -> bytes:
    """Make bytes of bytes or of a string, and never of a size."""
    if type(data) is str and encoding in _LATIN1:
        return data.encode('latin1')
    if type(data) is not bytes:
        fail(f'it makes bytes of a {type(data).__name__}')
    return data


def _bytearray(*args: Any) -> bytearray:
    return bytearray(_bytes(*args))


def _items(items: Any = ()) -> Any:
    if type(items) not in (list, tuple):
        fail(f'it makes a container of a {type(items).__name__}')
    return items


def _set(items: Any = ()) -> set:
    check_keys(_items(items))
    return set(items)


def _frozenset(items: Any = ()) -> frozenset:
    return frozenset(_set(items))


def _ordered_dict(items: Any = ()) -> OrderedDict:
    pairs = [tuple(_items(pair)) for pair in _items(items)]
    check_keys(pair[0] for pair in pairs)
    return OrderedDict(pairs)


def _complex(real: Any = 0., imag: Any = 0.) -> complex:
    return complex(float(real), float(imag))


_BUILTINS: dict[str, Callable] = dict(
    bytes=_bytes,
    bytearray=_bytearray,
    complex=_complex,
    frozenset=_frozenset,
    set=_set)
PLAIN_NAMES: dict[tuple[str, str], Callee] = {
    # Protocols up to 2 write bytes like this; no other codec is needed.
    ('_codecs', 'encode'): Callee(_bytes),
    ('collections', 'OrderedDict'): Callee(_ordered_dict),
    # Protocols up to 2 name them after `__builtin__`.
    **{(module, name): Callee(function)
       for name, function in _BUILTINS.items()
       for module in ('builtins', '__builtin__')},
}
_NUMPY: dict[str, Callable] = dict(
    dtype=DtypeParts,
    scalar=scalar,
    _reconstruct=reconstruct,
    _frombuffer=frombuffer,
    # An argument of `_reconstruct`.
    ndarray=no_array)
_NUMPY_NAMES: dict[tuple[str, str], Callee] = {
    (module, name): Callee(function)
    for name, function in _NUMPY.items() for module in _NUMPY_MODULES
}


def find_plain(module: str, name: str) -> Any:
    """Find what stands for a name in a pickle of plain data.

    Raises:
        pickle.UnpicklingError: If plain data need no such name.
    """
    found = PLAIN_NAMES.get((module, name)) or _NUMPY_NAMES.get((module, name))
    if found:
        return found
    reason = (f'it asks for {module}.{name}, only containers, strings, '
              'numbers and NumPy arrays are loaded')
    if may_be_data(module, name):
        raise UnknownNameError(reason)
    fail(f'it asks for {module}.{name}, {DO_NOT_USE}')


def read_plain(file: BinaryIO, size: int) -> Any:
    """Read a pickle of built-in containers, strings, numbers and arrays.

    A pickle may call whatever it names, so all else is refused. Both the
    names of NumPy 1 and those of NumPy 2 are known.

    Args:
        file (BinaryIO): The pickle.
        size (int): Its size in bytes.

    Raises:
        pickle.UnpicklingError: If it holds something else or is broken.
    """
    data = PickleReader(file, size, find_plain).load()
    check_nesting(data, size)
    return data


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
        ValueError: If it holds something else or is broken, or ``trusted`` is
            neither True nor False.
    """
    check_trusted(trusted)
    with reading_plain(path) as f:
        if trusted:
            return pickle.load(f, encoding='latin1')
        return read_plain(f, os.fstat(f.fileno()).st_size)


def check_trusted(trusted: Any) -> None:
    """Check a setting that must not be on by mistake, as 'no' would be."""
    if not isinstance(trusted, bool):
        raise ValueError(f'trusted={trusted!r:.60} must be True or False')


@contextmanager
def reading_plain(path: Union[str, Path]) -> Iterator[BinaryIO]:
    """Open a pickle; errors of the body name the file in one line.

    Raises:
        OSError: If there is no such file.
        ValueError: If the body fails.
    """
    try:
        with open(path, 'rb') as f:
            yield f
    except OSError as error:
        raise type(error)(f'{path}: {error.strerror or error}') from error
    # What a broken pickle raises depends on where it is broken.
    except Exception as error:
        raise ValueError(f'{path}: no pickle of plain data: '
                         f'{reason_of(error, path)}') from error


def reason_of(error: Exception, path: Union[str, Path]) -> str:
    """Say in one line why a file cannot be read."""
    if not os.path.getsize(path):
        return 'the file is empty'
    return printable(str(error) or type(error).__name__)
