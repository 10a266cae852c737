"""Bodies of requests, over a real socket."""

import json
import random
import time
import tracemalloc

import keras
import numpy as np
import pytest
from rest_requests import GIVEN, predict

from reptile_tf.serving.server import json_codec


def test_rows(ask, base, served_models):
    """Where each row has all inputs: here a Keras export of one input."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.export(base / "plain" / "1", verbose=False)
    model.export(base / "plain" / "3", verbose=False)
    served_models.refresh(at_once=True)
    rows = [[1.0, 2.0], [3.0, 4.0]]
    [name] = served_models.get("plain").dtypes["serving_default"]
    for instances in (rows, [{name: row} for row in rows]):
        status, answer = ask(
            "POST", "/v1/models/plain:predict", {"instances": instances}
        )
        assert status == 200
        expected = model(np.float32(rows))
        np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-5)
    # It has no checks of its own, as exports of learners have.
    for shape, wrong in (("[2]", [1.0, 2.0]), ("[1 3]", [[1.0, 2.0, 3.0]])):
        status, answer = ask(
            "POST", "/v1/models/plain:predict", {"inputs": wrong}
        )
        assert status == 400
        message = f"{name} must have shape [n 2]; received {shape}"
        assert answer["error"] == message
    # Added while it serves; the newest answers.
    _, answer = ask("GET", "/v1/models/plain/metadata")
    assert answer["model_spec"]["version"] == "3"


@pytest.mark.parametrize(
    "body, words",
    [
        (b"", ["JSON Parse error"]),
        (b'{"inputs": ', ["JSON Parse error"]),
        (b"\xff\xfe\x00", ["JSON Parse error"]),
        (json.dumps({"inputs": GIVEN}).encode("utf-16"), ["JSON Parse error"]),
        (b"[" * 15_000, ["JSON Parse error"]),
        (b"[]", ["must be an object"]),
        (b"{}", ["instances", "inputs"]),
        (b'{"signature_name": "\\ud800", "inputs": {}}', ["JSON Parse error"]),
        ({"inputs": GIVEN, "instances": [GIVEN]}, ["not both"]),
        ({"instances": []}, ["at least one row"]),
        ({"inputs": [1]}, ["must name the inputs", "steps"]),
        ({"inputs": GIVEN, "signature_name": "x"}, ['"x"', "adapt"]),
        ({"inputs": GIVEN, "signature_name": [1]}, ["signature"]),
        ({"inputs": GIVEN | {"steps": -1}}, ["steps must be 0 to 1000"]),
        ({"inputs": GIVEN | {"query_inputs": []}}, ["query_inputs", "[n 1]"]),
    ],
)
def test_impossible_bodies(ask, body, words):
    status, answer = ask("POST", "/v1/models/line:predict", body)
    assert (status, list(answer)) == (400, ["error"])
    for word in words:
        assert word in answer["error"]


INPUTS = "the inputs are query_inputs, steps, support_inputs, support_targets"


def test_inputs_that_are_missing_or_unknown_are_named(ask):
    given = {name: GIVEN[name] for name in GIVEN if name != "steps"}
    for inputs, words in (
        (given, "lacks steps"),
        (GIVEN | {"more": 1}, "has the unknown more"),
        (
            given | {"stepz": 1},
            "lacks steps and has the unknown stepz (did you mean steps?)",
        ),
    ):
        message = f"{words}; {INPUTS}"
        assert predict(ask, inputs)[1] == {"error": f"'inputs' {message}"}
        rows = {"instances": [GIVEN, inputs]}
        _, answer = ask("POST", "/v1/models/line:predict", rows)
        assert answer == {"error": f"row 1 of 'instances' {message}"}
    rows = {"instances": [GIVEN, [1.0]]}
    _, answer = ask("POST", "/v1/models/line:predict", rows)
    assert "in every row or in none; row 1 names none" in answer["error"]


def test_thousands_of_unknown_names_are_refused_at_once():
    given = dict.fromkeys(["x" * 10**7, *(f"a{i}" for i in range(200_000))])
    start = time.monotonic()
    with pytest.raises(ValueError, match="lacks a .* the unknown a0 .did you"):
        json_codec.require_inputs(given, ["a"], "it")
    assert time.monotonic() - start < 1


def test_numbers_that_are_too_high_are_told_with_their_input(ask):
    """Behind texts, too, that look like the name of an input."""
    texts = json.dumps(['"b":', "\\", ", ", ": "])
    body = f'{{"inputs": {{"a" : [{texts}, 0.5, -1e999]}}}}'.encode()
    status, answer = ask("POST", "/v1/models/line:predict", body)
    assert status == 400
    assert answer["error"] == "a must be up to 1.8e308; received -1e999"
    _, answer = ask("POST", "/v1/models/line:predict", b'{"a": 1 2e5}')
    assert "JSON Parse error" in answer["error"]


def test_numbers_that_json_does_not_have_are_read_and_written():
    """As in TF Serving, whose models decide what they take."""
    body = b'{"inputs": {"a": [NaN, -Infinity, 1], "b": [2]}}'
    dtypes = {"a": np.dtype("float32"), "b": np.dtype("int32")}
    request = json_codec.read(body, {"serving_default": dtypes})
    np.testing.assert_array_equal(request.inputs["a"], [np.nan, -np.inf, 1])
    text = json_codec.write(request, request.inputs)
    assert text == b'{"outputs": {"a": [NaN, -Infinity, 1.0], "b": [2]}}'
    given = json_codec.loads(text)["outputs"]["a"]
    np.testing.assert_array_equal(given, [np.nan, -np.inf, 1])
    deep = b"[" * 100_000 + b"NaN"
    with pytest.raises(ValueError, match="deep"):
        json_codec.loads(deep)


def test_the_graph_refuses_what_is_not_finite(ask):
    body = json.dumps({"inputs": GIVEN | {"query_inputs": [[float("nan")]]}})
    status, answer = ask("POST", "/v1/models/line:predict", body.encode())
    assert status == 400
    told = "query_inputs must be finite; received NaN or infinity"
    assert answer["error"] == told


def test_one_text_does_not_make_every_number_as_long(ask):
    inputs = GIVEN | {"query_inputs": [[1.0]] * 1000 + [["x" * 8000]]}
    tracemalloc.start()
    status, answer = predict(ask, inputs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert status == 400 and "query_inputs must be" in answer["error"]
    assert len(answer["error"]) < 200
    assert peak < 10 << 20


@pytest.mark.long
def test_after_thousands_of_random_bodies_it_answers(ask):
    draw = random.Random(0)
    good = json.dumps({"inputs": GIVEN}).encode()
    pieces = [b"null", b"{}", b"[]", b'""', b"-1", b"1e999", b"NaN", b",", b"["]
    statuses = set()
    for _ in range(3000):
        body = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(body))
            match draw.randrange(4):
                case 0:
                    body[place] = draw.randrange(256)
                case 1:
                    del body[place : place + draw.randint(1, 9)]
                case 2:
                    body[place:place] = draw.choice(pieces)
                case 3:
                    body[place : place + draw.randint(1, 9)] = draw.choice(
                        pieces
                    )
            body = body or bytearray(b" ")
        status, answer = ask("POST", "/v1/models/line:predict", bytes(body))
        statuses.add(status)
        assert status == 200 or list(answer) == ["error"]
    assert statuses == {200, 400}
    assert predict(ask)[0] == 200
