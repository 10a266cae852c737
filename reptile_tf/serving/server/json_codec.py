"""The bodies of TF Serving's REST API: JSON, by rows or by inputs."""

import difflib
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reptile_tf.serving.server import values
from reptile_tf.serving.server.saved_models import SavedModel
from reptile_tf.utils.extras import extra

with extra("serve"):
    import orjson

# What many programs write, though JSON does not have it, and numbers, which
# may be too high. Of -Infinity, the parser stops behind the sign.
_NUMBER = re.compile(r"NaN|Infinity|-?\d+(\.\d+)?([eE]\+?\d+)?", re.ASCII)

# A text of JSON, and the colon behind it if it names a value.
_TEXT = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*:)?', re.DOTALL)

_MOST_UNKNOWN = 3  # input names that a message quotes


def answer(model: SavedModel, body: bytes | bytearray) -> bytes:
    """Returns the JSON answer to the JSON body of a predict request.

    Args:
        model: the one that is asked.
        body: either {"instances": a list of rows} or {"inputs": each input as
            a whole}, and {"signature_name": ...} for another signature than
            the default one.

    Raises:
        ValueError: the body is no such JSON, or does not fit the signature, or
            the graph refuses the inputs.
    """
    request = _parse(body)
    signature = _signature(request, model)
    by_rows = "instances" in request
    if by_rows == ("inputs" in request):
        raise ValueError(
            "JSON body must have either 'instances' (a list of rows) or "
            "'inputs' (each input as a whole), and not both"
        )
    dtypes = model.dtypes(signature)
    if not dtypes:  # as TF Serving, which answers these over gRPC alone
        raise ValueError(f"Failed to get input map for signature: {signature}")
    given = _whole_inputs(request, list(dtypes), by_rows)
    outputs = model.predict(
        signature,
        {k: values.to_array(k, given[k], dtypes[k]) for k in dtypes},
    )
    counts = {value.shape[:1] for value in outputs.values()}
    if by_rows and (len(counts) > 1 or () in counts):
        raise ValueError(
            f"{signature} has outputs that are not in rows; ask with 'inputs'"
        )
    content: Any = {k: values.to_json(k, v) for k, v in outputs.items()}
    if len(outputs) == 1:
        [content] = content.values()
    elif by_rows:
        rows = zip(*content.values(), strict=True)
        content = [dict(zip(outputs, row, strict=True)) for row in rows]
    return dumps({"predictions" if by_rows else "outputs": content})


def dumps(content: Any) -> bytes:
    """Returns the JSON of what may hold arrays."""
    # Scalars and views go by way of lists.
    return orjson.dumps(content, np.ndarray.tolist, orjson.OPT_SERIALIZE_NUMPY)


def loads(content: bytes | bytearray | str) -> Any:
    """Returns what JSON holds.

    Raises:
        ValueError: it is no JSON.
    """
    return orjson.loads(content)


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
    except orjson.JSONDecodeError as error:
        raise ValueError(_parse_error(error)) from error
    if not isinstance(request, dict):
        raise ValueError("JSON Parse error: the body must be an object")
    return request


def _parse_error(error: json.JSONDecodeError) -> str:
    """Returns what is wrong with a body; names the input of a NaN in it."""
    number = _NUMBER.match(error.doc, error.pos)
    if number and not math.isfinite(float(number[0])):
        name = "the body"
        for text in _TEXT.finditer(error.doc, 0, error.pos):
            name = text[1] if text[2] else name
        return f"{name} must be finite numbers; received {number[0]}"
    return f"JSON Parse error: {error}"


def _signature(request: dict[str, Any], model: SavedModel) -> str:
    """Returns the name of the signature that a request asks."""
    signature = request.get("signature_name", "")
    signature = "serving_default" if signature == "" else signature
    if not isinstance(signature, str) or signature not in model.signatures:
        raise ValueError(
            f'Serving signature name: "{signature}" not found in signature '
            f"def; there are {', '.join(sorted(model.signatures))}"
        )
    return signature


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
