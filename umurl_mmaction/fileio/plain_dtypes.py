"""Safe NumPy dtypes for untrusted pickles."""
import pickle
import re
from typing import Any

import numpy as np


def _traits(dtype: np.dtype) -> tuple:
    return (dtype.kind, dtype.itemsize, dtype.alignment, dtype.flags,
            dtype.names, dtype.fields, dtype.subdtype, dtype.metadata)


class PlainDtypes:
    """Makes dtypes for an unpickler and checks them again afterwards.

    A pickle makes a dtype and then sets its state. NumPy does not check that
    state: it may claim that an item is larger than it is, or that bytes of
    the file are pointers. Arrays of such a dtype read and write memory that
    is not theirs.

    Args:
        codes (str): Regular expression of the codes that are allowed, such
            as ``'f4|f8'``.
    """

    def __init__(self, codes: str) -> None:
        self._codes = re.compile(codes)
        self._made: list[tuple[str, np.dtype]] = []

    def make(self, code: Any, align: Any = None, copy: Any = None) -> np.dtype:
        """Stand in for ``numpy.dtype``.

        Args:
            code (str): Kind and size, such as ``'f4'``.
            align: Not used.
            copy: Not used.

        Returns:
            np.dtype: For numbers and strings a new one, whose byte order
            the pickle may set; for objects NumPy's own, whose state cannot
            be set.

        Raises:
            pickle.UnpicklingError: If it is not allowed.
        """
        if not isinstance(code, str) or not self._codes.fullmatch(code):
            raise pickle.UnpicklingError(
                f'it asks for arrays of the dtype {code!r:.60}')
        if code[0] == 'O':
            return np.dtype('O')
        dtype = np.dtype(code, False, True)
        self._made.append((code, dtype))
        return dtype

    def forget(self) -> None:
        """Forget the dtypes that were made."""
        self._made = []

    def check_one(self, dtype: Any) -> None:
        """Check a dtype before it is used.

        Raises:
            pickle.UnpicklingError: If it differs from what its code says.
        """
        if not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError('it has no dtype where one should be')
        size = dtype.itemsize // (4 if dtype.kind == 'U' else 1)
        self._compare(f'{dtype.kind}{size}', dtype)

    def check(self) -> None:
        """Check all dtypes that were made, and forget them.

        Raises:
            pickle.UnpicklingError: If one differs from what its code says.
        """
        made, self._made = self._made, []
        for code, dtype in made:
            self._compare(code, dtype)

    def _compare(self, code: str, dtype: np.dtype) -> None:
        # A negative size makes no code.
        if '-' in code or _traits(dtype) != _traits(np.dtype(code)):
            raise pickle.UnpicklingError(
                f'it alters what NumPy knows of the dtype {code!r}')
