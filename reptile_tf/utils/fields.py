"""Fields of dataclasses that know what they mean and what they may be.

Commands make their flags of them, so nothing here needs TensorFlow.
"""

import dataclasses
import operator
import reprlib
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from reptile_tf.utils.validation import (
    require_at_least,
    require_choice,
    require_positive,
)

# Of whole numbers, as TensorFlow has them where nothing else is said.
_END = 1 << 31


def setting(
    default: Any = dataclasses.MISSING,
    *,
    text: str,
    least: float | None = None,
    above_zero: bool = False,
    choices: Sequence[Any] | None = None,
    path: Callable[[str, str], Any] | None = None,
) -> Any:
    """Returns a dataclass field that knows what it means and may be.

    Args:
        default: of the field; it must be given if left out. None is always
            allowed where it is the default.
        text: what it means, a whole sentence; the help of its flag.
        least: the smallest value there may be, if there is one.
        above_zero: whether it must be above 0.
        choices: the values there may be, if they are few.
        path: of a path, the function of `reptile_tf.utils.paths` for it.
    """
    metadata = {
        "text": text,
        "least": least,
        "above_zero": above_zero,
        "choices": choices,
        "path": path,
    }
    return dataclasses.field(default=default, metadata=metadata)


def values_of(instance: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass's instance: name -> value."""
    return {
        field.name: getattr(instance, field.name)
        for field in dataclasses.fields(instance)
    }


def kinds_of(settings: type) -> dict[str, type]:
    """Returns the types of a dataclass's fields: name -> type."""
    return {
        field.name: field.type
        for field in dataclasses.fields(settings)
        if isinstance(field.type, type)
    }


def attributes_text(settings: type) -> str:
    """Returns the "Attributes:" of a dataclass's docstring, of its fields."""
    lines = ["    Attributes:"]
    for field in dataclasses.fields(settings):
        text = f"{field.name}: {field.metadata['text']}"
        lines += textwrap.wrap(
            text, 79, initial_indent=" " * 8, subsequent_indent=" " * 12
        )
    return "\n".join(lines) + "\n"


def whole_number(name: str, value: Any) -> int:
    """Returns a whole number as Python's; NumPy's are numbers too.

    Args:
        name: of the argument.
        value: of the argument.

    Raises:
        ValueError: it is no whole number.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(
            f"{name} must be a whole number; received {value!r}"
        ) from None


def number(name: str, value: Any) -> float:
    """Returns a number as Python's; see `whole_number`."""
    try:
        return value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} must be a number; received {value!r}"
        ) from None


def make_plain(instance: Any) -> None:
    """Makes the numbers of a dataclass's instance Python's own.

    NumPy's compute alike, but no file of ours can hold them.

    Args:
        instance: whose fields may hold numbers of NumPy.

    Raises:
        ValueError: a field that is to be a number is none.
    """
    kinds = {int: whole_number, float: number}
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if field.type in kinds and not (value is None is field.default):
            value = kinds[field.type](field.name, value)
            object.__setattr__(instance, field.name, value)


def require_valid(settings: Any) -> None:
    """Refuses values of a dataclass of settings that are out of their range.

    Numbers of NumPy become Python's on the way, and paths lose their `~`.

    Args:
        settings: instance of a dataclass; of its fields those are checked that
            `setting` made.

    Raises:
        ValueError: names the setting, the value and what would do.
    """
    make_plain(settings)
    for field in dataclasses.fields(settings):
        limits, value = field.metadata, getattr(settings, field.name)
        if value is None and field.default is None:
            continue
        if limits and field.type is int and value >= _END:
            raise ValueError(
                f"{field.name} must be below {_END:,}; received "
                f"{reprlib.repr(value)}"
            )
        if limits.get("least") is not None:
            require_at_least(limits["least"], **{field.name: value})
        if limits.get("above_zero"):
            require_positive(**{field.name: value})
        if limits.get("choices") is not None:
            require_choice(limits["choices"], **{field.name: value})
        if limits.get("path") is not None:
            path = str(limits["path"](field.name, value))
            object.__setattr__(settings, field.name, path)
