"""Pickles of plain data, read without running anything that they ask for.

A pickle is a program: it may name any function of any module and call it. Here
it gets nothing by a name but what `pickled_values` makes for it, and no
instruction that plain data do without. What is admitted are None, bool, int,
float, str, bytes, list, tuple, dict, set, frozenset, OrderedDict, defaultdict,
and NumPy arrays and scalars of numbers or text, as Python 2 and 3 write them.
"""

import io
import os
import pickle
import pickletools
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from reptile_tf.data.sources import pickled_values
from reptile_tf.data.sources.pickled_values import Refused, shown

# Those that make and fill numbers, text, lists and tuples, and keep what was
# made for later. The others have a method of `_Unpickler`, or are refused.
_HARMLESS = """
    PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE
    INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    EMPTY_LIST APPEND APPENDS LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3
    EMPTY_DICT EMPTY_SET
    GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL
""".split()


def load(path_or_file: str | os.PathLike | IO[bytes]) -> Any:
    """Returns what a pickle holds, if it is plain data.

    Text of Python 2 becomes str, each byte a character.

    Args:
        path_or_file: a path, or a file to read and seek in, which is called by
            its `name` in errors.

    Raises:
        ValueError: it cannot be read, is damaged or cut short, or holds more
            than plain data; names the file, and what it holds.
    """
    if not isinstance(path_or_file, str | os.PathLike):
        return _load(path_or_file, getattr(path_or_file, "name", "the pickle"))
    path = os.fspath(path_or_file)
    try:
        with open(path, "rb") as file:
            return _load(file, path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _load(file: IO[bytes], name: object) -> Any:
    try:
        content = _Unpickler(_Bounded(file)).load()
        pickled_values.require_finished(content)
        return content
    except Refused as refused:
        raise ValueError(f"{name} {refused}") from refused
    except OSError:
        raise
    # A damaged pickle makes instructions fail in every way there is.
    except Exception as error:
        raise ValueError(
            f"{name} is no pickle, or is damaged or cut short: "
            f"{type(error).__name__}: {str(error)[:200]}"
        ) from error


class _Bounded:
    """A file that is not asked for more than it has.

    A damaged length would else make room for exabytes before it is noticed.
    """

    def __init__(self, file: IO[bytes]):
        at = file.tell()
        self.size = self._left = file.seek(0, io.SEEK_END) - at
        file.seek(at)
        self._file = file

    def read(self, size: int) -> bytes:
        if size > self._left:
            raise EOFError(f"{size} bytes are due and {self._left} are left")
        self._left -= size
        return self._file.read(size)

    def readline(self) -> bytes:
        line = self._file.readline()
        self._left -= len(line)
        return line


# Python's own, not C's: there, a BUILD would call __setstate__ of NumPy with
# what the pickle says, and the table of instructions could not be cut.
class _Unpickler(pickle._Unpickler):
    """Follows the instructions of plain data, and no other."""

    # What pickle's methods keep; its types do not say so.
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    def __init__(self, file: _Bounded):
        super().__init__(file, encoding="latin1")
        # Arrays that have no content yet, by id.
        self._blank: dict[int, np.ndarray] = {}
        # What may still be copied. Data are copied twice at most; a hostile
        # pickle could have a megabyte copied a million times.
        self._room = 4 * file.size + (1 << 20)

    def find_class(self, module: str, name: str) -> pickled_values.Named:
        return pickled_values.find(module, name)

    def load_reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self._take_room(arguments)
        if called is pickled_values.RECONSTRUCT:
            made = self._reconstructed(*arguments)
        elif type(called) is pickled_values.Named and called.make is not None:
            made = called.make(*arguments)
        else:
            raise Refused(f"calls {shown(called)}")
        self.stack.append(made)

    def _reconstructed(self, kind: Any, *_: Any) -> np.ndarray:
        if kind is not pickled_values.NDARRAY:
            raise Refused(f"has an array of type {shown(kind)}")
        array = np.empty(0, np.uint8)
        self._blank[id(array)] = array
        return array

    def load_build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        self._take_room(state)
        if type(built) is pickled_values.Dtype:
            built.set_state(state)
        elif id(built) in self._blank:
            pickled_values.set_content(built, state)
            del self._blank[id(built)]
        else:
            raise Refused(f"changes {shown(built)}")

    def _take_room(self, arguments: tuple[Any, ...]) -> None:
        sized = str, bytes, bytearray, list, tuple
        self._room -= sum(len(a) for a in arguments if type(a) in sized)
        if self._room < 0:
            raise Refused("has the same data copied again and again")

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set(items)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self) -> None:
        self._set(self.pop_mark())

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise ValueError("only a dict has items to set")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[pickled_values.hashable(key)] = value

    def load_additems(self) -> None:
        items = self.pop_mark()
        if type(self.stack[-1]) is not set:
            raise ValueError("only to a set can items be added")
        self.stack[-1].update(pickled_values.hashables(items))

    def load_frozenset(self) -> None:
        items = self.pop_mark()
        self.stack.append(frozenset(pickled_values.hashables(items)))

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        self.stack.append(bytearray(self.read(size)))

    def load_inst(self) -> None:
        module, name = self.readline()[:-1], self.readline()[:-1]
        found = self.find_class(module.decode(), name.decode())
        raise Refused(f"makes an object of {shown(found)}")


def _refuse(opcode: str) -> Callable[[Any], None]:
    def refuse(_: Any) -> None:
        raise Refused(
            f"has the instruction {opcode}, which plain data do without, or "
            "is no pickle"
        )

    return refuse


_Unpickler.dispatch = {
    ord(opcode.code): (
        pickle._Unpickler.dispatch[ord(opcode.code)]
        if opcode.name in _HARMLESS
        # Of this class alone: its base has a method for every instruction.
        else vars(_Unpickler).get(
            f"load_{opcode.name.lower()}", _refuse(opcode.name)
        )
    )
    for opcode in pickletools.opcodes
}
