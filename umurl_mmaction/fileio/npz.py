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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Union

import numpy as np

from .array_parts import is_broken_text
from .limits import check_archive

# What NumPy raises, beside ValueError, if the header of an array is broken.
HEADER_ERRORS = EOFError, SyntaxError, tokenize.TokenError

# The dtypes that may be read.
KINDS = 'biufcSU'
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
        with self._broken(name):
            with self._archive.open(member) as f:
                self._read_header(f, name, member)
            with self._archive.open(member) as f:
                array = np.lib.format.read_array(f, allow_pickle=False)
        return self._checked(array, name)

    def map(self, name: str) -> np.ndarray:
        """Map an array into memory, which reads only what is looked at.

        Returns:
            np.ndarray: A read-only ``np.memmap``; an array of its own if it
            has no axis or no item.

        Raises:
            KeyError, ValueError: As above, or if it is compressed. The
                checksum is not looked at.
        """
        member = self._archive.getinfo(f'{name}.npy')
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f'{name} is compressed, and cannot be mapped')
        with self._broken(name), self._archive.open(member) as f:
            shape, fortran, dtype = self._read_header(f, name, member)
            header = f.tell()
        if not shape or not math.prod(shape):
            return self[name]
        with open(self._archive.filename or '', 'rb') as raw:
            # The lengths of name and extra field; the directory's differ.
            raw.seek(member.header_offset + 26)
            lengths = struct.unpack('<HH', raw.read(4))
            array = np.memmap(
                raw, dtype, 'r', raw.tell() + sum(lengths) + header, shape,
                'F' if fortran else 'C')
        return self._checked(array, name)

    @staticmethod
    def _checked(array: np.ndarray, name: str) -> np.ndarray:
        if is_broken_text(array):
            raise ValueError(f'{name} has characters beyond Unicode')
        return array

    @staticmethod
    @contextmanager
    def _broken(name: str) -> Iterator[None]:
        try:
            yield
        # What zipfile and its decompressors raise.
        except (*HEADER_ERRORS, LookupError, RuntimeError, lzma.LZMAError,
                struct.error, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f'{name} cannot be read: {error}') from None

    @staticmethod
    def _read_header(f: IO[bytes], name: str, member: zipfile.ZipInfo
                     ) -> tuple[tuple[int, ...], bool, np.dtype]:
        """Read shape, whether the order is Fortran's, and dtype."""
        version = np.lib.format.read_magic(f)
        if version not in _READ_HEADER:
            raise ValueError(f'{name} is of the unknown version {version}')
        shape, fortran, dtype = _READ_HEADER[version](f)
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in KINDS:
            raise ValueError(f'{name} is of {dtype}; only numbers and '
                             'strings are loaded')
        if (size != member.file_size - f.tell()
                or not dtype.itemsize and math.prod(shape)
                or min(shape, default=0) < 0):
            raise ValueError(
                f'{name} is of {dtype} and the shape {shape!r:.60}, for '
                f'which {member.file_size - f.tell()} bytes are there')
        return shape, fortran, dtype


def save_joined(path: Union[str, Path],
                files: Sequence[Union[str, Path]],
                more: Mapping[str, np.ndarray]) -> None:
    """Write the arrays of several .npz, one after the other, as one .npz.

    No array is in memory as a whole: that of a file is, one at a time.

    Args:
        path (str | Path): File to write.
        files (sequence of str | Path): Have arrays of the same names, which
            differ at most in their first axis and the length of strings.
        more (dict[str, np.ndarray]): Further arrays.

    Raises:
        ValueError: If a file is broken, or has other arrays than the first.
            The message names it.
    """
    with zipfile.ZipFile(path, 'w') as archive:
        with _reading(files[0]) as arrays:
            names = list(arrays)
        for name in names:
            parts = []
            for file in files:
                with _reading(file) as arrays:
                    parts.append(arrays.map(name))
                if parts[-1].shape[1:] != parts[0].shape[1:]:
                    raise ValueError(
                        f'{file}: {name} has the shape {parts[-1].shape}, '
                        f'that of {files[0]} {parts[0].shape}')
            # Strings of different parts have different lengths.
            dtype = np.result_type(*(part.dtype for part in parts))
            shape = (sum(map(len, parts)), *parts[0].shape[1:])
            write_member(archive, name, dtype, shape,
                         _checked_parts(files, name, dtype))
        for name, array in more.items():
            write_member(archive, name, array.dtype, array.shape, [array])


def write_member(archive: zipfile.ZipFile, name: str, dtype: np.dtype,
                 shape: tuple[int, ...], arrays: Iterable[np.ndarray]) -> None:
    """Write an array of an .npz; ``arrays`` are its rows, one after another.

    ``np.savez`` would need a copy of all of them in one array.
    """
    header = dict(
        descr=np.lib.format.dtype_to_descr(dtype),
        fortran_order=False,
        shape=shape)
    with archive.open(f'{name}.npy', 'w', force_zip64=True) as f:
        np.lib.format.write_array_header_1_0(f, header)
        for array in arrays:
            f.write(array.tobytes())


def _checked_parts(files: Sequence[Union[str, Path]], name: str,
                   dtype: np.dtype) -> Iterator[np.ndarray]:
    for file in files:
        with _reading(file) as arrays:
            # Unlike a mapped array, this one was checked.
            yield np.ascontiguousarray(arrays[name], dtype)


@contextmanager
def _reading(file: Union[str, Path]) -> Iterator[PlainNpz]:
    """Open an .npz, and name it if it is broken."""
    try:
        with PlainNpz(file) as arrays:
            yield arrays
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(f'{file}: {error}') from None
