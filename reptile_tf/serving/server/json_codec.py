"""The bodies of TF Serving's REST API: JSON, by rows or by inputs."""

import difflib
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reptile_tf.serving.server import values
from reptile_tf.utils.extras import extra

with extra("serve"):
    import orjson

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]\+?\d+)?", re.ASCII)

# A text of JSON, and the colon behind it if it names a value.
_TEXT = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*:)?', re.DOTALL)

_MOST_UNKNOWN = 3  # input names that a message quotes


class Request(NamedTuple):
    """A predict request.

    Attributes:
        signature: the name of the signature that is asked.
        inputs: name -> array.
        by_rows: whether it came, and is answered, row by row.
    """

    signature: str
    inputs: dict[str, np.ndarray]
    by_rows: bool


def read(
    body: bytes | bytearray, signatures: Mapping[str, Mapping[str, np.dtype]]
) -> Request:
    """Returns the predict request that a JSON body is.

    Args:
        body: either {"instances": a list of rows} or {"inputs": each input as
            a whole}, and {"signature_name": ...} for another signature than
            the default one.
        signatures: name -> the dtype of each of its inputs.

    Raises:
        ValueError: the body is no such JSON, or does not fit the signature.
    """
    request = _parse(body)
    signature = signature_name(request.get("signature_name", ""), signatures)
    by_rows = "instances" in request
    if by_rows == ("inputs" in request):
        raise ValueError(
            "JSON body must have either 'instances' (a list of rows) or "
            "'inputs' (each input as a whole), and not both"
        )
    dtypes = signatures[signature]
    if not dtypes:  # as TF Serving, which answers these over gRPC alone
        raise ValueError(f"Failed to get input map for signature: {signature}")
    given = _whole_inputs(request, list(dtypes), by_rows)
    arrays = {k: values.to_array(k, given[k], dtypes[k]) for k in dtypes}
    return Request(signature, arrays, by_rows)


def signature_name(asked: Any, signatures: Iterable[str]) -> str:
    """Returns the name of the signature that is asked.

    Args:
        asked: the name that a request gives; "" for the default one.
        signatures: the names that there are.

    Raises:
        ValueError: there is no such signature.
    """
    signature = "serving_default" if asked == "" else asked
    if not isinstance(signature, str) or signature not in signatures:
        raise ValueError(
            f'Serving signature name: "{signature}" not found in signature '
            f"def; there are {', '.join(sorted(signatures))}"
        )
    return signature


def write(request: Request, outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the JSON answer to a predict request.

    Args:
        request: that was answered.
        outputs: name -> array.

    Raises:
        ValueError: the outputs are not in rows, as they were asked for.
    """
    by_rows = request.by_rows
    counts = {value.shape[:1] for value in outputs.values()}
    if by_rows and (len(counts) > 1 or () in counts):
        raise ValueError(
            f"{request.signature} has outputs that are not in rows; ask with "
            "'inputs'"
        )
    content: Any = {k: values.to_json(k, v) for k, v in outputs.items()}
    if len(outputs) == 1:
        [content] = content.values()
    elif by_rows:
        rows = zip(*content.values(), strict=True)
        content = [dict(zip(outputs, row, strict=True)) for row in rows]
    return dumps({"predictions" if by_rows else "outputs": content})


def dumps(content: Any) -> bytes:
    """Returns the JSON of what may hold arrays.

    As in TF Serving, numbers that are not finite are NaN and Infinity, which
    JSON does not have.
    """
    if _is_finite(content):
        # Scalars and views go by way of lists.
        return orjson.dumps(
            content, np.ndarray.tolist, orjson.OPT_SERIALIZE_NUMPY
        )
    return json.dumps(content, default=lambda array: array.tolist()).encode()


def _is_finite(content: Any) -> bool:
    if isinstance(content, dict):
        return all(map(_is_finite, content.values()))
    if isinstance(content, np.ndarray | np.generic):
        return content.dtype.kind != "f" or bool(np.isfinite(content).all())
    return not isinstance(content, list) or all(map(_is_finite, content))


def loads(content: bytes | bytearray | str) -> Any:
    """Returns what JSON holds, and NaN and Infinity where it has them.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        text = content if isinstance(content, str) else content.decode()
        if "NaN" not in text and "Infinity" not in text:
            raise
        try:
            return json.loads(text)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error


def require_inputs(
    given: Mapping[str, Any], known: Iterable[str], whose: str
) -> None:
    """Refuses inputs if their names are not those that a signature has.

    Args:
        given: name -> value.
        known: the names that the signature has.
        whose: what holds the inputs, for the message.

    Raises:
        ValueError: an input is missing, or there is one too many.
    """
    known = sorted(known)
    missing = [name for name in known if name not in given]
    strange = (name for name in given if name not in known)
    unknown = []
    for name in itertools.islice(strange, _MOST_UNKNOWN):
        near = difflib.get_close_matches(name[:100], missing, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        unknown.append(f"the unknown {name[:100]}{hint}")
    wrong = [f"lacks {', '.join(missing)}"] if missing else []
    wrong += [f"has {', '.join(unknown)}"] if unknown else []
    if wrong:
        raise ValueError(
            f"{whose} {' and '.join(wrong)}; the inputs are {', '.join(known)}"
        )


def _parse(body: bytes | bytearray) -> dict[str, Any]:
    try:
        request = loads(body)
    except ValueError as error:
        raise ValueError(_parse_error(error)) from error
    if not isinstance(request, dict):
        raise ValueError("JSON Parse error: the body must be an object")
    return request


def _parse_error(error: ValueError) -> str:
    """Returns what is wrong with a body; names the input of a number in it.

    The parser takes no number that is too high for a float of 64 bits.
    """
    if isinstance(error, json.JSONDecodeError):
        number = _NUMBER.match(error.doc, error.pos)
        if number and math.isinf(float(number[0])):
            name = "the body"
            for text in _TEXT.finditer(error.doc, 0, error.pos):
                name = text[1] if text[2] else name
            return f"{name} must be up to 1.8e308; received {number[0][:40]}"
    return f"JSON Parse error: {error}"


def _whole_inputs(
    request: dict[str, Any], names: Sequence[str], by_rows: bool
) -> dict[str, Any]:
    """Returns name -> the whole value of each input of a request."""
    key = "instances" if by_rows else "inputs"
    given = request[key]
    if by_rows and not (isinstance(given, list) and given):
        raise ValueError("'instances' must be a list of at least one row")
    named = [_names_inputs(row) for row in (given if by_rows else [given])]
    if not any(named):
        if len(names) != 1:
            raise ValueError(
                f"{key!r} must name the inputs: {', '.join(names)}"
            )
        return {names[0]: given}
    if not by_rows:
        require_inputs(given, names, repr(key))
        return given
    if not all(named):
        raise ValueError(
            "'instances' must name the inputs in every row or in none; row "
            f"{named.index(False)} names none"
        )
    for index, row in enumerate(given):
        require_inputs(row, names, f"row {index} of {key!r}")
    return {name: [row[name] for row in given] for name in names}


def _names_inputs(value: Any) -> bool:
    return isinstance(value, dict) and not values.is_base64(value)
