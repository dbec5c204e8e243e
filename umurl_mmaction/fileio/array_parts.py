"""Stand-ins for NumPy's dtypes and arrays in untrusted pickles.

NumPy believes the state that a pickle gives to a dtype or an array: that there
is as much data as the shape says, that bytes are pointers. So no pickle gets
hold of either. The stand-ins record what it says, and the array is made once
all of that is checked.
"""
import re
import sys
from typing import Any

import numpy as np

from .pickle_instructions import fail
from .pickle_reader import Parts

_ORDERS = ('<', '>', '=', '|')
# Taking it from a pickle works in NumPy 1 and 2.
_numpy_scalar: Any = np.int64(0).__reduce__()[0]


class DtypeParts(Parts):
    """What a pickle says of a dtype.

    Args:
        code (str): Kind and size, such as ``'f4'``.
        align: Not used.
        copy: Not used.

    Attributes:
        dtype (np.dtype): The dtype. Nothing changes it; another byte order
            makes another one.
        each (int): Bytes, or objects, that an item takes; negative for
            strings of length 0, of which any number would take nothing.

    Raises:
        pickle.UnpicklingError: If the code is not allowed.
    """
    __slots__ = ('dtype', 'each')
    # Numbers, strings, objects.
    codes = re.compile('[biufc][0-9]{1,2}|[SU][0-9]{1,9}|O[48]?')

    def __init__(self, code: Any, align: Any = False, copy: Any = False
                 ) -> None:
        self.index = -1
        if not isinstance(code, str) or not self.codes.fullmatch(code):
            fail(f'it asks for arrays of the dtype {code!r:.60}')
        self.dtype = np.dtype('O' if code[0] == 'O' else code)
        self.each = 1 if code[0] == 'O' else self.dtype.itemsize or -1

    def finish(self, state: Any) -> 'DtypeParts':
        """Take the byte order from a state that changes nothing else."""
        dtype = self.dtype
        # Version, byte order, subarray, names, fields, size, alignment, flags,
        # maybe metadata.
        order, rest = state[1], tuple(state[2:])
        sizes = (-1, -1)
        if dtype.kind in 'SU':
            sizes = (dtype.itemsize, dtype.alignment)
        flags = dtype.flags
        if order not in _ORDERS or rest not in (
                (None, None, None, *sizes, flags),
                (None, None, None, *sizes, flags, None)):
            fail(f'it alters what NumPy knows of the dtype {dtype.str!r}')
        if order != '|':
            self.dtype = dtype.newbyteorder(order)
        return self


def is_broken_text(array: np.ndarray) -> bool:
    """Tell whether an array has characters beyond Unicode.

    NumPy keeps them, and Python fails at them as if that were a bug.
    """
    if array.dtype.kind != 'U' or not array.dtype.itemsize:
        return False
    codes = np.ascontiguousarray(array).view(f'{array.dtype.byteorder}u4')
    return bool((codes > sys.maxunicode).any())


def _checked(dtype: Any, shape: Any, available: Any) -> np.dtype:
    """Check that data of some dtype and shape are as long as they should be.

    Args:
        dtype: Wanted are :class:`DtypeParts`.
        shape: Wanted is a tuple of integers from 0.
        available (int): Length of the data in bytes, or in objects.

    Returns:
        np.dtype: The dtype.
    """
    if not isinstance(dtype, DtypeParts):
        fail('it has no dtype where one should be')
    needed = dtype.each
    for n in shape if type(shape) is tuple else (None, ):
        if type(n) is not int or n < 0:
            fail(f'it has an array of the shape {shape!r:.60}')
        needed *= n
    if needed != available:
        fail(f'it has an array of {dtype.dtype} and the shape {shape!r:.60}, '
             f'for which {available} bytes or objects are there')
    return dtype.dtype


def _with_text(array: np.ndarray) -> np.ndarray:
    if is_broken_text(array):
        fail('it has an array of characters beyond Unicode')
    return array


class ArrayParts(Parts):
    """What a pickle says of an array: the state that follows."""
    __slots__ = ()

    def __init__(self) -> None:
        self.index = -1

    def finish(self, state: Any) -> np.ndarray:
        """Make the array.

        Args:
            state (tuple): Version, shape, dtype, whether the data are in
                Fortran's order, and the data: bytes, or a list of objects.
        """
        shape, dtype, is_fortran, data = state[-4:]
        if isinstance(data, str):  # of Python 2
            data = data.encode('latin1')
        checked = _checked(dtype, shape, len(data))
        wanted = list if checked.hasobject else bytes
        if type(data) is not wanted:
            fail(f'it has an array made of a {type(data).__name__}')
        order: Any = 'F' if is_fortran else 'C'
        if checked.hasobject:
            flat = np.empty(len(data), object)
            for i, item in enumerate(data):
                if type(item) is np.ndarray and item.dtype.hasobject:
                    # NumPy frees a chain of them by a recursion in C.
                    fail('it has an array of objects in another one')
                flat[i] = item
            # The list is in C order whatever the memory's is.
            return np.asarray(flat.reshape(shape), order=order)
        array: Any = np.empty((0, ), 'b')
        # Unlike all else it keeps the bytes, and makes no copy of them.
        array.__setstate__((1, shape, checked, bool(is_fortran), data))
        return _with_text(array)


def reconstruct(subtype: Any, shape: Any, code: Any) -> ArrayParts:
    """Stand in for NumPy's ``_reconstruct``, whose arguments say nothing."""
    return ArrayParts()


def no_array(*args: Any) -> Any:
    """Stand in for NumPy's ``ndarray``, an argument that nothing calls."""
    fail('it asks for an array of a size')


def frombuffer(data: Any, dtype: Any, shape: Any, order: Any,
               axes: Any = None) -> np.ndarray:
    """Make an array as NumPy's ``_frombuffer`` does."""
    if type(data) not in (bytes, bytearray):
        fail(f'it has an array made of a {type(data).__name__}')
    checked = _checked(dtype, shape, len(data))
    if checked.hasobject:
        fail('it has an array that takes bytes for objects')
    order = 'F' if order == 'F' else 'C'
    array = _with_text(np.ndarray(shape, checked, data, order=order))
    return array if axes is None else array.transpose(axes)


def scalar(dtype: Any, data: Any = b'') -> Any:
    """Make a scalar as NumPy's ``scalar`` does."""
    if isinstance(data, str):  # of Python 2
        data = data.encode('latin1')
    if type(data) is not bytes:
        fail(f'it has a scalar made of a {type(data).__name__}')
    if not isinstance(dtype, DtypeParts):
        fail('it has no dtype where one should be')
    # Of objects too, these bytes would be the pointers.
    if dtype.dtype.hasobject or dtype.dtype.itemsize != len(data):
        fail(f'it has a scalar of {dtype.dtype} made of {len(data)} bytes')
    return _numpy_scalar(dtype.dtype, data)
