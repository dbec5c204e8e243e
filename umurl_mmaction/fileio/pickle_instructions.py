"""The less frequent instructions of pickles, for ``pickle_reader.py``."""
import codecs
import pickle
import struct
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Callable, NoReturn

import numpy as np

if TYPE_CHECKING:
    from .pickle_reader import PickleReader

_MAX_KEY = 1000
_ONLY_STRINGS = {str}
DICTS = (dict, OrderedDict)


def fail(reason: str) -> NoReturn:
    """Refuse a pickle."""
    raise pickle.UnpicklingError(reason)


class Opaque:
    """Stands for an object, or a name, that is not made.

    Args:
        name (str): The name; '' for an object without one.
        items (list): What the object is made of. Defaults to nothing.
    """
    __slots__ = ('name', 'items')

    def __init__(self, name: str, items: Iterable = ()) -> None:
        self.name = name
        self.items = list(items)


_KEYS = frozenset(
    [str, int, float, bool, bytes, complex,
     type(None), Opaque])


def check_keys(keys: Iterable) -> None:
    """Check keys before they are hashed, which recurses without a limit.

    Raises:
        pickle.UnpicklingError: If one is neither a string, a number nor a
            small tuple or frozenset of such.
    """
    for key in keys:
        todo, seen = [key], 0
        while todo:
            item = todo.pop()
            seen += 1
            if type(item) in (tuple, frozenset):
                seen += len(item)
                if seen <= _MAX_KEY:
                    todo += item
            elif type(item) is int and item.bit_length() > 64:
                # Larger ones can be made to have one hash.
                fail('it has an integer of more than 64 bits as a key')
            elif type(item) not in _KEYS and not isinstance(item, np.generic):
                fail(f'it has a {type(item).__name__} as a key')
            if seen > _MAX_KEY:
                fail(f'it has a key of more than {_MAX_KEY} parts')


def unknown(reader: 'PickleReader') -> None:
    raise LookupError('an instruction that plain data do not need')


# Filling ------------------------------------------------------------------
def _fill_dict(target: Any, items: list) -> None:
    if type(target) not in DICTS or len(items) % 2:
        fail(f'it sets an item of a {type(target).__name__}')
    keys = items[::2]
    if set(map(type, keys)) != _ONLY_STRINGS:
        check_keys(keys)
    target.update(zip(keys, items[1::2]))


def _fill_list(target: Any, items: list) -> None:
    if type(target) is not list:
        fail(f'it appends to a {type(target).__name__}')
    target += items


def _fill_set(target: Any, items: list) -> None:
    if type(target) is not set:
        fail(f'it adds to a {type(target).__name__}')
    check_keys(items)
    target.update(items)


def _fill(fill: Callable[[Any, list], None], count: int = 0
          ) -> Callable[['PickleReader'], None]:
    """Fill with the last items of the stack, or those since the mark."""

    def instruction(reader: 'PickleReader') -> None:
        items = reader.pop(count) if count else reader.since_mark()
        fill(reader.stack[-1], items)

    return instruction


# Making -------------------------------------------------------------------
def _push(make: Callable[['PickleReader'], Any]
          ) -> Callable[['PickleReader'], None]:
    """Push what is made of the bytes that follow, or of the stack."""

    def instruction(reader: 'PickleReader') -> None:
        reader.stack.append(make(reader))

    return instruction


def _dict(reader: 'PickleReader') -> dict:
    made: dict = {}
    _fill_dict(made, reader.since_mark())
    return made


def _frozenset(reader: 'PickleReader') -> frozenset:
    items = reader.since_mark()
    check_keys(items)
    return frozenset(items)


def _unpack(layout: str) -> Callable[['PickleReader'], Any]:
    size = struct.calcsize(layout)
    return lambda reader: struct.unpack(layout, reader.take(size))[0]


def _bytes(size: int) -> Callable[['PickleReader'], bytes]:
    return lambda reader: reader.take(reader.number(size))


def _string(size: int) -> Callable[['PickleReader'], str]:
    return lambda reader: reader.take(reader.number(size)).decode(
        'utf-8', 'surrogatepass')


def _string_of_python_2(size: int) -> Callable[['PickleReader'], str]:
    # They have no encoding.
    return lambda reader: reader.take(reader.number(size)).decode('latin1')


def _long(size: int) -> Callable[['PickleReader'], int]:
    return lambda reader: int.from_bytes(
        reader.take(reader.number(size)), 'little', signed=True)


def _line_of_integer(reader: 'PickleReader') -> Any:
    line = reader.line()
    if line in (b'00', b'01'):
        return line == b'01'
    # Long ones take a time that grows with the square of their length.
    if len(line) > 4000:
        fail('it has an integer of more than 4000 digits')
    return int(line.rstrip(b'L'))


def _line_of_string(reader: 'PickleReader') -> str:
    line = reader.line()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b'"\'':
        fail('it has a string without quotes')
    return codecs.escape_decode(line[1:-1])[0].decode('latin1')


# The stack ----------------------------------------------------------------
def _put(index: Callable[['PickleReader'], int]
         ) -> Callable[['PickleReader'], None]:

    def instruction(reader: 'PickleReader') -> None:
        place = index(reader)
        if not 0 <= place <= reader.size:
            fail('it remembers more than it has')
        reader.memo[place] = reader.stack[-1]

    return instruction


def _global(reader: 'PickleReader') -> Any:
    module, name = (reader.line().decode() for _ in range(2))
    return reader.find(module, name)


def _stack_global(reader: 'PickleReader') -> Any:
    module, name = reader.pop(2)
    if type(module) is not str or type(name) is not str:
        fail('it asks for something without a name')
    return reader.find(module, name)


def _newobj(reader: 'PickleReader') -> Any:
    return reader.make(*reader.pop(2))


def _skip(size: int) -> Callable[['PickleReader'], None]:

    def instruction(reader: 'PickleReader') -> None:
        reader.take(size)

    return instruction


def _frame(reader: 'PickleReader') -> None:
    if reader.number(8) > reader.size:
        fail('it asks for more bytes than the file has')


def _pop(reader: 'PickleReader') -> None:
    reader.pop(1)


def _pop_mark(reader: 'PickleReader') -> None:
    reader.since_mark()


# Named as in Python's module. EXT1 and so on, INST, OBJ and NEWOBJ_EX make
# objects of classes; NEXT_BUFFER and READONLY_BUFFER want a second file.
RARE: dict[int, Callable[['PickleReader'], None]] = {
    getattr(pickle, name)[0]: instruction
    for name, instruction in dict(
        PROTO=_skip(1),
        FRAME=_frame,
        POP=_pop,
        POP_MARK=_pop_mark,
        NONE=_push(lambda reader: None),
        NEWTRUE=_push(lambda reader: True),
        INT=_push(_line_of_integer),
        LONG=_push(_line_of_integer),
        BININT=_push(_unpack('<i')),
        LONG1=_push(_long(1)),
        LONG4=_push(_long(4)),
        FLOAT=_push(lambda reader: float(reader.line())),
        BINFLOAT=_push(_unpack('>d')),
        UNICODE=_push(
            lambda reader: reader.line().decode('raw-unicode-escape')),
        BINUNICODE=_push(_string(4)),
        BINUNICODE8=_push(_string(8)),
        STRING=_push(_line_of_string),
        SHORT_BINSTRING=_push(_string_of_python_2(1)),
        BINSTRING=_push(_string_of_python_2(4)),
        SHORT_BINBYTES=_push(_bytes(1)),
        BINBYTES=_push(_bytes(4)),
        BINBYTES8=_push(_bytes(8)),
        BYTEARRAY8=_push(lambda reader: reader.take_array(reader.number(8))),
        EMPTY_TUPLE=_push(lambda reader: ()),
        TUPLE2=_push(lambda reader: tuple(reader.pop(2))),
        EMPTY_LIST=_push(lambda reader: []),
        LIST=_push(lambda reader: reader.since_mark()),
        APPEND=_fill(_fill_list, 1),
        APPENDS=_fill(_fill_list),
        EMPTY_DICT=_push(lambda reader: {}),
        DICT=_push(_dict),
        SETITEM=_fill(_fill_dict, 2),
        SETITEMS=_fill(_fill_dict),
        EMPTY_SET=_push(lambda reader: set()),
        ADDITEMS=_fill(_fill_set),
        FROZENSET=_push(_frozenset),
        GET=_push(lambda reader: reader.memo[int(reader.line())]),
        PUT=_put(lambda reader: int(reader.line())),
        GLOBAL=_push(_global),
        STACK_GLOBAL=_push(_stack_global),
        NEWOBJ=_push(_newobj),
        PERSID=_push(lambda reader: reader.refer(reader.line().decode())),
        BINPERSID=_push(lambda reader: reader.refer(*reader.pop(1))),
    ).items()
}
