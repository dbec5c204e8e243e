"""Sizes in checkpoints, which torch believes.

torch's restricted loader makes whatever room a checkpoint asks for, and takes
more values from a file than are there. So each checkpoint is read twice: here,
where nothing is made but plain containers, and then by torch.
"""
import os
import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Optional, Union

import torch

from .limits import allowance, check_archive
from .nesting import check_nesting
from .pickle_instructions import Opaque, fail
from .pickle_reader import Callee, PickleReader
from .plain import PLAIN_NAMES

_PICKLE = 'data.pkl'
_ITEM_SIZES = dict(
    UntypedStorage=1,
    BoolStorage=1,
    ByteStorage=1,
    CharStorage=1,
    QInt8Storage=1,
    QUInt8Storage=1,
    QUInt4x2Storage=1,
    QUInt2x4Storage=1,
    ShortStorage=2,
    HalfStorage=2,
    BFloat16Storage=2,
    IntStorage=4,
    FloatStorage=4,
    QInt32Storage=4,
    LongStorage=8,
    DoubleStorage=8,
    ComplexFloatStorage=8,
    ComplexDoubleStorage=16)
# Which argument is the size of the tensor that they make.
_SIZE_ARGUMENT = {
    f'torch._utils._rebuild_{name}': place
    for name, place in dict(
        tensor=2, tensor_v2=2, tensor_v3=2, qtensor=2,
        meta_tensor_no_storage=1, wrapper_subclass=2).items()
}
# They make room for nothing.
_HARMLESS = ('torch.Size', 'torch._utils._rebuild_parameter',
             'torch._utils._rebuild_parameter_with_state',
             'torch._utils._rebuild_sparse_tensor')
_MAX_NUMBERS = 100


class _Reader(PickleReader):
    """Reads the pickle of a checkpoint for its sizes.

    Args:
        file (BinaryIO): Holds the pickle.
        size (int): Its size in bytes.
        available (dict[str, int], optional): Size of each storage in bytes;
            None if they follow the pickles.
        room (int): Values that a tensor may have.
    """

    def __init__(self, file: BinaryIO, size: int,
                 available: Optional[dict[str, int]], room: int) -> None:
        super().__init__(file, size, self._named)
        self._available = available
        self._room = room
        self._states: list[Any] = []
        self._storages: dict[Any, int] = {}

    def read(self) -> Any:
        """Read a pickle; return its content, without any object."""
        data = self.load()
        check_nesting([data, *self._states], self.size)
        if sum(self._storages.values()) > self.size:
            fail('its tensors are larger than the file')
        return data

    def _named(self, module: str, name: str) -> Any:
        known = PLAIN_NAMES.get((module, name))
        return known or Opaque(f'{module}.{name}')

    def call(self, callee: Any, arguments: Any) -> Any:
        if isinstance(callee, Callee):
            return super().call(callee, arguments)
        name = callee.name if isinstance(callee, Opaque) else ''
        if name == 'torch._tensor._rebuild_from_type_v2':
            function, _, inner, *_ = arguments
            self.call(function, inner)
        elif name.startswith('torch.') and name not in _HARMLESS:
            place = _SIZE_ARGUMENT.get(name)
            self._check_room(
                name, arguments if place is None else arguments[place])
        return Opaque('', [callee, arguments])

    def make(self, cls: Any, arguments: Any) -> Any:
        return self.call(cls, arguments)

    def build(self, instance: Any, state: Any) -> Any:
        if isinstance(instance, Opaque) or type(instance).__module__ == (
                'collections'):
            self._states.append(state)
            return instance
        return super().build(instance, state)

    def refer(self, key: Any) -> Any:
        if type(key) is not tuple or len(key) < 5:
            fail('it refers to something that is no storage')
        kind, name, _, count = key[1:5]
        kind = getattr(kind, 'name', '').rpartition('.')[2]
        item_size = _ITEM_SIZES.get(kind)
        if item_size is None or type(count) is not int or count < 0:
            fail('it has a storage of no known kind or size')
        size = count * item_size
        if self._available is None:
            self._storages[name] = size
        elif size > self._available.get(name, 0):
            fail(f'it takes {size} bytes from the storage {name!r:.30}, which '
                 f'has {self._available.get(name, 0)}')
        return Opaque('storage')

    def _check_room(self, name: str, sizes: Any) -> None:
        """Check the product of all numbers, as if it were a size."""
        todo, product, seen = [sizes], 1, 0
        while todo:
            item = todo.pop()
            if type(item) in (list, tuple):
                todo += item
            elif type(item) is int:
                product *= max(1, abs(item))
            seen += 1
            if product > self._room or seen > _MAX_NUMBERS:
                fail(f'it asks {name} for more than the file can have')


@contextmanager
def _opened(file: Any) -> Iterator[BinaryIO]:
    if isinstance(file, (str, os.PathLike)):
        with open(file, 'rb') as f:
            yield f
    else:
        start = file.tell()
        yield file
        file.seek(start)


def check_sizes(file: Union[str, 'os.PathLike[str]', BinaryIO]) -> None:
    """Check the sizes and the nesting in a checkpoint, which runs nothing.

    Whether torch allows the names in it is for torch to decide.

    Args:
        file (str | PathLike | BinaryIO): What ``torch.load`` will get.

    Raises:
        pickle.UnpicklingError: If something is larger than the file allows,
            or the file is broken.
    """
    with _opened(file) as f:
        start = f.tell()
        size = f.seek(0, os.SEEK_END) - start
        f.seek(start)
        # As torch decides it.
        is_archive = f.read(4) == b'PK\x03\x04'
        f.seek(start)
        if is_archive:
            try:
                with zipfile.ZipFile(f) as archive:
                    _check_members(archive, size)
            except (zipfile.BadZipFile, EOFError, NotImplementedError,
                    RuntimeError, ValueError) as error:
                fail(f'its zip archive is broken: {error}')
        else:
            _check_old_format(f, size)


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    members = {member.filename: member for member in archive.infolist()}
    # torch would look elsewhere for one of them.
    if (len({name.lower() for name in members}) < len(archive.infolist())
            or len({name.partition('/')[0] for name in members}) != 1
            or min(x.header_offset for x in members.values())
            or archive.comment):
        fail('its zip archive is none that torch writes')
    check_archive(archive, size)
    for name, member in members.items():
        root, _, last = name.rpartition('/')
        if last == _PICKLE:
            start = f'{root}/data/'
            available = {
                other[len(start):]: x.file_size
                for other, x in members.items() if other.startswith(start)
            }
            with archive.open(member) as f:
                _Reader(f, member.file_size, available,  # type: ignore
                        allowance(size)).read()


def _check_old_format(file: BinaryIO, size: int) -> None:
    """Check a file of torch before 1.6: pickles, and then the storages."""
    if not size:
        fail('the file is empty')
    reader = _Reader(file, size, None, allowance(size))
    try:
        magic = reader.read()
    except pickle.UnpicklingError:
        magic = None
    if magic != torch.serialization.MAGIC_NUMBER:
        fail('it is no file of torch.save')
    # Version, machine, content, keys of the storages.
    for _ in range(4):
        reader.read()
