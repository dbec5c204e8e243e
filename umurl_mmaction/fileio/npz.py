"""Arrays of an untrusted .npz, whose sizes are checked before they are read.

NumPy makes room for whatever the header of a member asks for.
"""
import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union

import numpy as np

from .limits import check_archive

# What NumPy raises, beside ValueError, if the header of an array is broken.
HEADER_ERRORS = EOFError, SyntaxError, tokenize.TokenError

_KINDS = 'biufcSU'
# Later versions are for structured dtypes.
_READ_HEADER: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class PlainNpz(Mapping):
    """The arrays of an .npz by name; a context manager.

    Args:
        path (str | Path): The file.

    Raises:
        OSError: If it is not there.
        zipfile.BadZipFile: If it is no zip, or a zip bomb.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self._archive = zipfile.ZipFile(path)
        try:
            check_archive(self._archive, os.path.getsize(path))
        except zipfile.BadZipFile:
            self._archive.close()
            raise

    def __enter__(self) -> 'PlainNpz':
        return self

    def __exit__(self, *args: Any) -> None:
        self._archive.close()

    def __iter__(self) -> Iterator[str]:
        for name in self._archive.namelist():
            if name.endswith('.npy'):
                yield name[:-len('.npy')]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> np.ndarray:
        """Read an array of numbers or strings.

        Raises:
            KeyError: If there is none of that name.
            ValueError: If it is broken, encrypted, holds anything else, or
                has other data than its header says.
        """
        member = self._archive.getinfo(f'{name}.npy')
        try:
            return self._read(name, member)
        # What zipfile and its decompressors raise.
        except (*HEADER_ERRORS, LookupError, RuntimeError, lzma.LZMAError,
                struct.error, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f'{name} cannot be read: {error}') from None

    def _read(self, name: str, member: zipfile.ZipInfo) -> np.ndarray:
        with self._archive.open(member) as f:
            version = np.lib.format.read_magic(f)
            if version not in _READ_HEADER:
                raise ValueError(f'{name} is of the unknown version {version}')
            shape, _, dtype = _READ_HEADER[version](f)
            size = math.prod(shape) * dtype.itemsize
            if dtype.kind not in _KINDS:
                raise ValueError(f'{name} is of {dtype}; only numbers and '
                                 'strings are loaded')
            if (size != member.file_size - f.tell()
                    or not dtype.itemsize and math.prod(shape)
                    or min(shape, default=0) < 0):
                raise ValueError(
                    f'{name} is of {dtype} and the shape {shape!r:.60}, for '
                    f'which {member.file_size - f.tell()} bytes are there')
        with self._archive.open(member) as f:
            return np.lib.format.read_array(f, allow_pickle=False)
