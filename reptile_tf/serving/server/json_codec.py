"""The bodies of TF Serving's REST API: JSON, by rows or by inputs."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from reptile_tf.serving.server.saved_models import SavedModel
from reptile_tf.utils.extras import extra

with extra("serve"):
    import orjson


def answer(model: SavedModel, body: bytes | bytearray) -> bytes:
    """Returns the JSON answer to the JSON body of a predict request.

    Args:
        model: the one that is asked.
        body: either {"instances": a list of rows} or {"inputs": each input as
            a whole}, and {"signature_name": ...} for another signature than
            the default one.

    Raises:
        ValueError: the body is no such JSON, or does not fit the signature.
        tf.errors.InvalidArgumentError: the graph refuses the inputs.
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
    given = _whole_inputs(request, dtypes, by_rows)
    outputs = model.predict(
        signature,
        {name: _array(name, given[name], dtypes[name]) for name in dtypes},
    )
    content: Any = outputs
    if by_rows and any(value.ndim == 0 for value in outputs.values()):
        raise ValueError(f"{signature} has outputs that are not in rows")
    if len(outputs) == 1:
        [content] = outputs.values()
    elif by_rows:
        rows = zip(*outputs.values(), strict=True)
        content = [dict(zip(outputs, row, strict=True)) for row in rows]
    return dumps({"predictions" if by_rows else "outputs": content})


def dumps(content: Any) -> bytes:
    """Returns the JSON of what may hold arrays."""
    # Scalars and views go by way of lists.
    return orjson.dumps(content, np.ndarray.tolist, orjson.OPT_SERIALIZE_NUMPY)


def loads(content: bytes | bytearray) -> Any:
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
    known = list(known)
    if given.keys() != set(known):
        raise ValueError(
            f"{whose} must have the inputs {', '.join(known)}; "
            f"received {', '.join(given) or '(none)'}"
        )


def _parse(body: bytes | bytearray) -> dict[str, Any]:
    try:
        request = loads(body)
    except ValueError as error:
        raise ValueError(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise ValueError("JSON Parse error: the body must be an object")
    return request


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
    request: dict[str, Any], names: Iterable[str], by_rows: bool
) -> dict[str, Any]:
    """Returns name -> the whole value of each input of a request."""
    names = list(names)
    key = "instances" if by_rows else "inputs"
    given = request[key]
    if by_rows:
        if not isinstance(given, list) or not given:
            raise ValueError("'instances' must be a list of at least one row")
        if all(isinstance(row, dict) for row in given):
            first = given[0].keys()
            if any(row.keys() != first for row in given):
                raise ValueError("'instances' must all have the same inputs")
            given = {name: [row[name] for row in given] for name in first}
    if not isinstance(given, dict):
        if len(names) != 1:
            raise ValueError(
                f"{key!r} must name the inputs: {', '.join(names)}"
            )
        given = {names[0]: given}
    require_inputs(given, names, repr(key))
    return given


def _array(name: str, value: Any, dtype: np.dtype) -> np.ndarray:
    """Returns a JSON value as an array; refuses what is no such number."""
    shape: list[int] = []
    elements = [value]
    while (kinds := set(map(type, elements))) == {list}:
        lengths = set(map(len, elements))
        if len(lengths) > 1:
            raise ValueError(
                f"{name} must be a full array; received lists of {lengths}"
            )
        shape += lengths
        elements = list(itertools.chain.from_iterable(elements))
    whole = np.issubdtype(dtype, np.integer)
    if not kinds <= ({int} if whole else {int, float}):
        what = "whole numbers" if whole else "numbers"
        raise ValueError(f"{name} must be {what} of type {dtype}")
    if whole and elements:
        limits, low, high = np.iinfo(dtype), min(elements), max(elements)
        if low < limits.min or high > limits.max:
            raise ValueError(
                f"{name} must be {limits.min} to {limits.max}, of type {dtype}"
            )
    with np.errstate(over="ignore"):  # infinities are refused by the graph
        return np.array(elements, dtype).reshape(shape)
