"""What a pickle of plain data may get by a name, and what it may not.

Nothing here is NumPy's or Python's own function or class, so that the worst a
pickle can do with it is to make a number, a text, a container or an array.
"""

import collections
import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

_PLAIN = (
    "only numbers, text, lists, dicts and the like, and NumPy arrays of "
    "numbers or text, are read from a pickle"
)
_DTYPE = re.compile(r"b1|[iufcSU][1-9]\d{0,8}")


class Refused(Exception):
    """A pickle does what it may not; the text is to follow the file's name."""

    def __init__(self, what: str):
        super().__init__(f"{what}; {_PLAIN}")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What a pickle gets by a name.

    The pickle can neither call it, but by a `make` of this module, nor change
    it: a real function or class could be given other defaults or attributes.
    """

    name: str
    make: Callable[..., Any] | None = None
    factory: type | None = None  # of a defaultdict


@dataclasses.dataclass(slots=True, eq=False)
class Dtype:
    """A dtype while it is unpickled.

    A real one could be changed into one of objects when an array has it
    already, and the array's bytes would then be taken for addresses.
    """

    value: np.dtype

    def set_state(self, state: Any) -> None:
        """Takes the order of the bytes, and refuses records."""
        _, order, subarray, names, fields, *_ = state
        plain = subarray is None and names is None and fields is None
        if not plain or order not in ("<", ">", "|"):
            raise Refused("has an array of records")
        self.value = self.value.newbyteorder(order)


def find(module: str, name: str) -> Named:
    """Returns what a pickle gets by a name."""
    if (module, name) not in _NAMES:
        raise Refused(
            f"names {shown(f'{module}.{name}')}, which is no plain data"
        )
    return _NAMES[module, name]


def shown(thing: Any) -> str:
    """Returns the name of what stands in a pickle, safe to print.

    Of what is no name, it is the type's: a value may be endless when printed.
    """
    if type(thing) is Named:
        thing = thing.name
    if type(thing) is not str:
        thing = type(thing).__name__
    return ascii(thing)[1:-1][:100]


def hashable(key: Any) -> Any:
    """Returns a key of a dict or an item of a set, and refuses odd ones.

    Tuples in tuples, a million deep, would crash Python when they are hashed.
    """
    parts = key if type(key) in (tuple, frozenset) else (key,)
    for part in parts:
        if part is not None and not isinstance(
            part, str | bytes | int | float | np.generic
        ):
            raise Refused(
                f"has a {type(part).__name__} in a key of a dict or set"
            )
    return key


def set_content(blank: np.ndarray, state: Any) -> None:
    """Gives an array its content, in place, since others may hold it."""
    _, shape, dtype, fortran, content = state
    content = _content(content)
    _require_array(shape, dtype, content)
    whole: Any = (1, shape, dtype.value, bool(fortran), bytes(content))
    blank.__setstate__(whole)


def require_finished(content: Any) -> None:
    """Refuses a class or a dtype that is left as a value."""
    seen, waiting = set(), [content]
    while waiting:
        part = waiting.pop()
        if type(part) is Dtype:
            raise Refused("holds a numpy.dtype as a value")
        if type(part) is Named:
            raise Refused(f"holds {shown(part)} itself as a value")
        if isinstance(part, list | tuple | dict) and id(part) not in seen:
            seen.add(id(part))
            waiting += part.values() if isinstance(part, dict) else part


def _dtype(code: Any, *_: Any) -> Dtype:
    if type(code) is not str or not _DTYPE.fullmatch(code):
        raise Refused(f"has an array of dtype {shown(code)}")
    return Dtype(np.dtype(code))


def _scalar(dtype: Any, content: Any) -> Any:
    return _array(content, dtype, (), "C")[()]


def _array(
    content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> np.ndarray:
    """Returns an array in the memory of `content`, as NumPy's _frombuffer."""
    content = _content(content)
    _require_array(shape, dtype, content)
    if order == "K" and type(axes) is tuple:
        return np.ndarray(shape, dtype.value, content).transpose(axes)
    if order not in ("C", "F"):
        raise ValueError("an array's order must be C or F")
    return np.ndarray(shape, dtype.value, content, order=order)


def _content(content: Any) -> bytes | bytearray:
    if type(content) is str:  # of Python 2
        return content.encode("latin1")
    if type(content) not in (bytes, bytearray):
        raise Refused("has an array of Python objects")
    return content


def _require_array(shape: Any, dtype: Any, content: bytes | bytearray) -> None:
    if (
        type(dtype) is not Dtype
        or type(shape) is not tuple
        or len(shape) > 64
        or any(type(size) is not int or size < 0 for size in shape)
        or math.prod(shape) * dtype.value.itemsize != len(content)
    ):
        raise ValueError("an array's shape, dtype and bytes do not fit")


def _encoded(text: Any, encoding: Any) -> bytes:
    """Returns bytes, which Python 3 writes as text for Python 2."""
    if type(text) is not str or encoding != "latin1":
        raise Refused("encodes text otherwise than latin1")
    return text.encode("latin1")


def hashables(items: Any = ()) -> list[Any]:
    """Returns the items of a set."""
    if type(items) not in (list, tuple):
        raise ValueError("a set must be made of a list")
    return [hashable(item) for item in items]


def _ordered_dict(items: Any = ()) -> collections.OrderedDict:
    if type(items) not in (list, tuple):
        raise ValueError("an OrderedDict must be made of a list")
    return collections.OrderedDict((hashable(key), item) for key, item in items)


def _default_dict(factory: Any = None) -> collections.defaultdict:
    if factory is None:
        return collections.defaultdict(None)
    if type(factory) is not Named or factory.factory is None:
        raise Refused(f"has a defaultdict of {shown(factory)}")
    return collections.defaultdict(factory.factory)


NDARRAY = Named("numpy.ndarray")
RECONSTRUCT = Named("_reconstruct")  # an array, whose content comes later


def _names() -> dict[tuple[str, str], Named]:
    names = {
        ("numpy", "ndarray"): NDARRAY,
        ("numpy", "dtype"): Named("numpy.dtype", _dtype),
        ("_codecs", "encode"): Named("encode", _encoded),
        ("collections", "OrderedDict"): Named("OrderedDict", _ordered_dict),
        ("collections", "defaultdict"): Named("defaultdict", _default_dict),
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = RECONSTRUCT
        names[f"{core}.multiarray", "scalar"] = Named("scalar", _scalar)
        names[f"{core}.numeric", "_frombuffer"] = Named("_frombuffer", _array)
    makers: dict[type, Callable[..., Any] | None] = {
        **dict.fromkeys((list, dict, int, float)),
        set: lambda *items: set(hashables(*items)),
        frozenset: lambda *items: frozenset(hashables(*items)),
        bytes: lambda: b"",
    }
    for builtins in ("builtins", "__builtin__"):  # of Python 3 and 2
        for kind, make in makers.items():
            name = kind.__name__
            names[builtins, name] = Named(name, make, kind)
    names["__builtin__", "long"] = names["__builtin__", "int"]
    return names


_NAMES = _names()
