"""A machine for untrusted pickles.

Python's own machine in C trusts a pickle: it makes room for whatever size an
instruction names, and hashes keys that nest too deeply for its stack. This
one calls only objects of :class:`Callee`, changes only lists, dicts, sets and
:class:`Parts`, and checks sizes and keys first.
"""
import pickle
import struct
from typing import Any, BinaryIO, Callable

from .pickle_instructions import RARE, fail, unknown

# No instruction with a length of one byte or none is longer.
_SHORT = 300
_WINDOW = 1 << 16
_ZEROS = bytes(_SHORT)


class Callee:
    """What a pickle may call: a function in the place of a name.

    Args:
        function (Callable): Gets the arguments that the pickle gives.
    """
    __slots__ = ('function', )

    def __init__(self, function: Callable) -> None:
        self.function = function


class Parts:
    """The parts of an object to be, to which a pickle may give a state.

    Attributes:
        index (int): Where an honest pickle remembers them.
        done (Any): What they have become; not set before that.
    """
    __slots__ = ('done', 'index')
    done: Any
    index: int

    def finish(self, state: Any) -> Any:
        """Return what takes the place of the parts.

        Raises:
            pickle.UnpicklingError: If the state will not do.
        """
        raise NotImplementedError

    def __setstate__(self, state: Any) -> None:
        """Take the state from torch's loader, which replaces nothing."""
        self.done = self.finish(state)


class PickleReader:
    """Reads pickles of any protocol, and runs nothing that they name.

    Args:
        file (BinaryIO): Holds the pickle.
        size (int): Size of the file in bytes; nothing in it can be larger.
        find (Callable): Gets the module and the name that the pickle asks
            for; returns what stands for it, such as a :class:`Callee`.
    """

    def __init__(self, file: BinaryIO, size: int,
                 find: Callable[[str, str], Any]) -> None:
        self.find = find
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._marks: list[int] = []
        self._file = file
        self.size = size
        # The bytes up to `_end`, with zeros behind; next is the one at `_at`.
        # Up to `_safe`, a short instruction is there as a whole.
        self._window = b''
        self._at = self._end = 0
        self._safe = -1

    def load(self) -> Any:
        """Read a pickle, or the one that follows it in the file.

        Returns:
            Any: Its content. How deeply it nests is not checked.

        Raises:
            pickle.UnpicklingError: If it is broken or asks for anything that
                is not allowed.
        """
        self.stack.clear()
        self.memo.clear()
        self._marks.clear()
        try:
            return self._run()
        except (AttributeError, LookupError, OverflowError, TypeError,
                ValueError, struct.error) as error:
            if self._at >= self._end:
                fail('the file ends too early')
            raise pickle.UnpicklingError(
                f'it is broken: {error}') from error

    def position(self) -> int:
        """Return where in the file the next byte is."""
        return self._file.tell() - (self._end - self._at)

    # What a pickle may do -------------------------------------------------

    def call(self, callee: Any, arguments: Any) -> Any:
        """Return the result of a call."""
        if type(callee) is not Callee or type(arguments) is not tuple:
            fail('it calls what is no function')
        result = callee.function(*arguments)
        if isinstance(result, Parts):
            result.index = len(self.memo)
        return result

    def build(self, instance: Any, state: Any) -> Any:
        """Return what an object becomes with a state."""
        if not isinstance(instance, Parts):
            fail(f'it sets the state of a {type(instance).__name__}')
        index, done = instance.index, instance.finish(state)
        if self.memo.get(index) is instance:
            self.memo[index] = done
        return done

    def make(self, cls: Any, arguments: Any) -> Any:
        """Return a new object of a class."""
        fail('it makes an object of a class')

    def refer(self, key: Any) -> Any:
        """Return what a key outside of the pickle stands for."""
        fail('it refers to something outside of it')

    # Stack and bytes ------------------------------------------------------

    def pop(self, count: int) -> list:
        """Take the last items from the stack."""
        items = self.stack[-count:]
        if len(items) < count:
            fail('it takes more than there is')
        del self.stack[-count:]
        return items

    def since_mark(self) -> list:
        """Take the items since the last mark from the stack."""
        mark = self._marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def take(self, size: int) -> bytes:
        """Read some bytes."""
        at = self._at
        if size <= self._end - at:
            self._at = at + size
            return self._window[at:at + size]
        rest = self._leave_window(size)
        if rest and size > _WINDOW:
            # All at once: pieces would be copied.
            self._file.seek(-len(rest), 1)
            rest = b''
        data = rest + self._file.read(size - len(rest))
        if len(data) < size:
            fail('the file ends too early')
        return data

    def take_array(self, size: int) -> bytearray:
        """Read some bytes that can be changed."""
        if size <= self._end - self._at:
            return bytearray(self.take(size))
        rest = self._leave_window(size)
        data = bytearray(size)
        data[:len(rest)] = rest
        with memoryview(data) as view:
            at = len(rest)
            while at < size:
                count = self._file.readinto(view[at:])  # type: ignore
                if not count:
                    fail('the file ends too early')
                at += count
        return data

    def number(self, size: int) -> int:
        """Read an unsigned integer of some bytes."""
        return int.from_bytes(self.take(size), 'little')

    def line(self) -> bytes:
        """Read to the end of the line."""
        parts = []
        while True:
            stop = self._window.find(b'\n', self._at, self._end)
            if stop >= 0:
                parts.append(self._window[self._at:stop])
                self._at = stop + 1
                return b''.join(parts)
            parts.append(self._window[self._at:self._end])
            self._at = self._end
            self._refill()
            if not self._end:
                fail('the file ends too early')

    def _leave_window(self, size: int) -> bytes:
        if size > self.size:
            fail('it asks for more bytes than the file has')
        rest = self._window[self._at:self._end]
        self._window, self._at, self._end, self._safe = b'', 0, 0, -1
        return rest

    def _refill(self) -> None:
        if self._at > self._end:
            fail('the file ends too early')
        rest = self._window[self._at:self._end]
        new = self._file.read(_WINDOW)
        self._window = b''.join((rest, new, _ZEROS))
        self._at, self._end = 0, len(rest) + len(new)
        self._safe = self._end - (_SHORT if new else 0)

    def _run(self) -> Any:
        stack, memo, marks = self.stack, self.memo, self._marks
        push, call, build = stack.append, self.call, self.build
        from_bytes = int.from_bytes
        window, at, safe = self._window, self._at, self._safe
        # The frequent instructions are here: a call for each would take
        # longer than all else.
        while True:
            while at > safe:
                self._at = at
                self._refill()
                window, at, safe = self._window, self._at, self._safe
            code = window[at]
            at += 1
            if code == 0x94:  # MEMOIZE
                memo[len(memo)] = stack[-1]
            elif code == 0x6a:  # LONG_BINGET
                push(memo[from_bytes(window[at:at + 4], 'little')])
                at += 4
            elif code == 0x4b:  # BININT1
                push(window[at])
                at += 1
            elif code == 0x68:  # BINGET
                push(memo[window[at]])
                at += 1
            elif code == 0x72:  # LONG_BINPUT
                index = from_bytes(window[at:at + 4], 'little')
                if index > self.size:
                    fail('it remembers more than it has')
                memo[index] = stack[-1]
                at += 4
            elif code == 0x71:  # BINPUT
                memo[window[at]] = stack[-1]
                at += 1
            elif code == 0x28:  # MARK
                marks.append(len(stack))
            elif code == 0x74:  # TUPLE
                mark = marks.pop()
                items = tuple(stack[mark:])
                del stack[mark:]
                push(items)
            elif code == 0x87:  # TUPLE3
                third, second = stack.pop(), stack.pop()
                stack[-1] = (stack[-1], second, third)
            elif code == 0x8c:  # SHORT_BINUNICODE
                stop = at + 1 + window[at]
                push(str(window[at + 1:stop], 'utf-8', 'surrogatepass'))
                at = stop
            elif code == 0x52:  # REDUCE
                arguments = stack.pop()
                stack[-1] = call(stack[-1], arguments)
            elif code == 0x62:  # BUILD
                state = stack.pop()
                stack[-1] = build(stack[-1], state)
            elif code == 0x85:  # TUPLE1
                stack[-1] = (stack[-1], )
            elif code == 0x89:  # NEWFALSE
                push(False)
            elif code == 0x4d:  # BININT2
                push(window[at] + 256 * window[at + 1])
                at += 2
            elif code == 0x2e:  # STOP
                self._at = at
                return stack.pop()
            else:
                self._at = at
                RARE.get(code, unknown)(self)
                window, at, safe = self._window, self._at, self._safe
