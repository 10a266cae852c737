"""The values of inputs and outputs: from JSON to arrays, and back.

Numbers are JSON numbers. Texts are JSON strings in UTF-8; {"b64": BASE64} is
a text of any bytes, as in TF Serving.
"""

import base64
import binascii
import contextlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

_LONGEST = 40  # characters of a value that a message quotes


def is_base64(value: Any) -> bool:
    """Returns whether a JSON value is a text of any bytes."""
    return (
        isinstance(value, dict)
        and list(value) == ["b64"]
        and isinstance(value["b64"], str)
    )


def to_array(name: str, value: Any, dtype: np.dtype) -> np.ndarray:
    """Returns the array that a JSON value is, exactly or rounded to floats.

    Args:
        name: of the input.
        value: numbers or texts, in lists of any depth.
        dtype: of the array; that of texts is object.

    Raises:
        ValueError: the value is no full array, or does not fit the dtype.
    """
    shape: list[int] = []
    elements = [value]
    while (kinds := set(map(type, elements))) == {list}:
        lengths = set(map(len, elements))
        if len(lengths) > 1:
            few, many = min(lengths), max(lengths)
            raise ValueError(
                f"{name} must be a full array, whose lists of one depth are "
                f"equally long; received lists of {few} and of {many}"
            )
        shape += lengths
        elements = list(itertools.chain.from_iterable(elements))
    if list in kinds:
        stray = next(e for e in elements if not isinstance(e, list))
        raise ValueError(
            f"{name} must be a full array, as deep in every place; received "
            f"{_shown(stray)} beside a list"
        )
    return _flat(name, elements, dtype).reshape(shape)


def as_array(name: str, value: Any) -> np.ndarray:
    """Returns what Python has as an array: lists, numbers, texts, tensors.

    Args:
        name: of the input.
        value: of the input.

    Raises:
        ValueError: the value is no full array.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind in "SU" and not isinstance(value, np.ndarray):
            # Texts of NumPy lose zeros at their ends, and take in numbers.
            array = np.asarray(value, object)
    except ValueError as error:
        raise ValueError(f"{name} must be a full array: {error}") from error
    return array


def to_json(name: str, array: np.ndarray) -> Any:
    """Returns what is written as JSON for an input or an output.

    Args:
        name: of it; if it ends in _bytes, its texts are written as base64.
        array: the values; numbers stay an array.
    """
    if array.dtype.kind not in "OSU":
        return array

    def encoded(value: Any) -> Any:
        if isinstance(value, list):
            return [encoded(one) for one in value]
        if isinstance(value, bytes):
            with contextlib.suppress(UnicodeDecodeError):
                if not name.endswith("_bytes"):
                    return value.decode()
            return {"b64": base64.b64encode(value).decode()}
        return value

    return encoded(array.tolist())


def _flat(name: str, elements: Sequence[Any], dtype: np.dtype) -> np.ndarray:
    match dtype.kind:
        case "O":
            texts = [_text(name, element) for element in elements]
            return np.array(texts, object)
        case "b":
            _require_types(name, elements, {bool}, "true or false")
            return np.array(elements, dtype)
        case "i" | "u":
            return _whole_numbers(name, elements, dtype)
        case "f":
            return _numbers(name, elements, dtype)
    raise ValueError(
        f"{name} is of type {dtype}, which JSON cannot hold; export the model "
        "with inputs of whole numbers, floats or texts"
    )


def _text(name: str, element: Any) -> bytes:
    if is_base64(element):
        try:
            return base64.b64decode(element["b64"], validate=True)
        except binascii.Error as error:
            raise ValueError(
                f"{name} must be texts; received {_shown(element['b64'])} as "
                f"b64, which is no base64: {error}"
            ) from error
    if isinstance(element, bytes):
        return element
    _require_types(name, [element], {str}, 'texts, such as "a"')
    return element.encode()


def _whole_numbers(
    name: str, elements: Sequence[Any], dtype: np.dtype
) -> np.ndarray:
    what = f"whole numbers, such as 3, of type {dtype}"
    _require_types(name, elements, {int}, what)
    limits = np.iinfo(dtype)
    for value in (min(elements, default=0), max(elements, default=0)):
        if not limits.min <= value <= limits.max:
            raise ValueError(
                f"{name} must be {limits.min} to {limits.max}, of type "
                f"{dtype}; received {_shown(value)}"
            )
    return np.array(elements, dtype)


def _numbers(name: str, elements: Sequence[Any], dtype: np.dtype) -> np.ndarray:
    what = f"finite numbers, such as 0.5, of type {dtype}"
    _require_types(name, elements, {int, float}, what)
    try:
        with np.errstate(over="ignore"):
            array = np.array(elements, dtype)
    except OverflowError:  # a whole number of hundreds of digits
        raise ValueError(f"{name} must be {what}, up to 1.8e308") from None
    # As TF Serving, which takes no whole number that may not be exact, and
    # none that becomes infinite.
    exact = 2 ** (np.finfo(dtype).nmant + 1)
    for index in np.flatnonzero(np.abs(array) >= exact):
        value = elements[int(index)]
        if np.isinf(array[index]) and value not in (np.inf, -np.inf):
            raise ValueError(
                f"{name} must be {what}, up to {np.finfo(dtype).max:.2g}; "
                f"received {_shown(value)}"
            )
        if isinstance(value, int):
            raise ValueError(
                f"{name} must be whole numbers below {exact}, or numbers with "
                f"a decimal point, which are rounded to {dtype}; received "
                f"{_shown(value)}"
            )
    return array


def _require_types(
    name: str, elements: Sequence[Any], types: set[type], what: str
) -> None:
    if not set(map(type, elements)) <= types:
        wrong = next(e for e in elements if type(e) not in types)
        raise ValueError(f"{name} must be {what}; received {_shown(wrong)}")


def _shown(value: Any) -> str:
    """Returns a JSON value as a message quotes it, which is never long."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str) and len(value) > _LONGEST:
        value = value[:_LONGEST] + "..."
    return json.dumps(value, ensure_ascii=False, default=repr)
