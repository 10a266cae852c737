"""What is sent over TF Serving's REST API: JSON, in rows or in columns."""

import itertools

import numpy as np
import orjson

from reptile_tf.serving.server.saved_models import Model


def answer(model: Model, body: bytearray) -> bytes:
    """Returns the JSON answer to the JSON body of a predict request."""
    try:
        request = orjson.loads(body)
    except ValueError as error:
        raise ValueError(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise ValueError("JSON Parse error: the body must be an object")
    signature = request.get("signature_name", "")
    signature = "serving_default" if signature == "" else signature
    if not isinstance(signature, str) or signature not in model.signatures:
        raise ValueError(
            f'Serving signature name: "{signature}" not found in signature '
            f"def; there are {', '.join(sorted(model.signatures))}"
        )
    rows = "instances" in request
    if rows == ("inputs" in request):
        raise ValueError(
            "JSON body must have either 'instances' (a list of rows) or "
            "'inputs' (each input as a whole), and not both"
        )
    dtypes = model.dtypes(signature)
    if not dtypes:  # as TF Serving, which answers these over gRPC alone
        raise ValueError(f"Failed to get input map for signature: {signature}")
    given = _columns(request, dtypes, rows)
    inputs = {
        name: _array(name, given[name], dtype) for name, dtype in dtypes.items()
    }
    content = model.predict(signature, inputs)
    if rows and any(value.ndim == 0 for value in content.values()):
        raise ValueError(f"{signature} has outputs that are not in rows")
    if len(content) == 1:
        [content] = content.values()
    elif rows:
        answers = zip(*content.values(), strict=True)
        content = [dict(zip(content, row, strict=True)) for row in answers]
    return dumps({"predictions" if rows else "outputs": content})


def dumps(content) -> bytes:
    """Returns the JSON of what may hold arrays."""
    # Scalars and views go by way of lists.
    return orjson.dumps(content, np.ndarray.tolist, orjson.OPT_SERIALIZE_NUMPY)


def _columns(request: dict, dtypes: dict, rows: bool) -> dict:
    """Returns name -> value of each input of a request."""
    key = "instances" if rows else "inputs"
    given = request[key]
    if rows:
        if not isinstance(given, list) or not given:
            raise ValueError("'instances' must be a list of at least one row")
        if all(isinstance(row, dict) for row in given):
            names = given[0].keys()
            if any(row.keys() != names for row in given):
                raise ValueError("'instances' must all have the same inputs")
            given = {name: [row[name] for row in given] for name in names}
    if not isinstance(given, dict):
        if len(dtypes) != 1:
            raise ValueError(
                f"{key!r} must name the inputs: {', '.join(dtypes)}"
            )
        given = {name: given for name in dtypes}
    require_inputs(given, dtypes, repr(key))
    return given


def require_inputs(given: dict, known, whose: str) -> None:
    """Refuses inputs that are not, by their names, those that are known."""
    if given.keys() != known.keys():
        raise ValueError(
            f"{whose} must have the inputs {', '.join(known)}; "
            f"received {', '.join(given) or '(none)'}"
        )


def _array(name: str, value, dtype: np.dtype) -> np.ndarray:
    """Returns a JSON value as an array; refuses what is no such number."""
    shape, elements = [], [value]
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
