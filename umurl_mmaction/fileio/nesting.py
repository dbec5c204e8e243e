"""How deeply untrusted data nest, and how many they are written out."""
from typing import Any, NamedTuple, Union

import numpy as np

from .pickle_instructions import DICTS, Opaque, fail

MAX_DEPTH = 100
_MAX_REPEATED = 1 << 26
_LEAVES = frozenset(
    [str, int, float, bool, bytes, bytearray, complex,
     type(None)])
_SEQUENCES = (list, tuple, set, frozenset)


class _Extent(NamedTuple):
    """Levels of a container, and its items counted at each place."""
    height: int
    parts: int


def check_nesting(data: Any, size: int,
                  single: Union[type, tuple[()]] = ()) -> None:
    """Check that who walks through untrusted data comes to an end.

    A list that holds one list twice, which holds one list twice, and so on,
    takes a few bytes and for ever to print.

    Args:
        data (Any): Content of a file.
        size (int): Size of the file in bytes.
        single (type): A class of single values, beside numbers, strings and
            NumPy's. Defaults to none.

    Raises:
        pickle.UnpicklingError: If the data nest too deeply, hold themselves,
            repeat themselves too often or are not plain.
    """
    # None while it is being looked at.
    extents: dict[int, Any] = {}

    def visit(value: Any, depth: int) -> _Extent:
        if id(value) in extents:
            return extents[id(value)] or fail('it has a container that holds '
                                              'itself')
        if depth > MAX_DEPTH:
            fail(f'its containers nest more than {MAX_DEPTH} deep')
        extents[id(value)] = None
        items = () if isinstance(value, single) else _items_of(value)
        height, parts = 0, len(items)
        for item in items:
            if type(item) not in _LEAVES and (type(item) is not np.ndarray
                                              or item.dtype.hasobject):
                inner = visit(item, depth + 1)
                height = max(height, inner.height)
                parts += inner.parts
        extents[id(value)] = extent = _Extent(height + 1, parts)
        if extent.height > MAX_DEPTH:
            fail(f'its containers nest more than {MAX_DEPTH} deep')
        if parts > size + _MAX_REPEATED:
            fail('it repeats its containers too often')
        return extent

    if type(data) not in _LEAVES:
        visit(data, 1)


def _items_of(value: Any) -> Any:
    """Return the items of a container; none if it is a single value."""
    if type(value) in DICTS:
        return value.values()
    if type(value) in _SEQUENCES:
        return value
    if type(value) is np.ndarray:
        return value.ravel() if value.dtype.hasobject else ()
    if type(value) is Opaque:
        return value.items
    if isinstance(value, np.generic):
        return ()
    fail('it has a function or an unfinished array where data should be')
