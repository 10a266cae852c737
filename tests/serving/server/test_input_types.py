"""Signatures with several inputs, of other types than floats."""

import numpy as np
import pytest
import tensorflow as tf
from rest_requests import predict

from reptile_tf.serving import client


class Pairs(tf.Module):
    """Several inputs of support and query, and other types than floats."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.int64, "support_left"),
            tf.TensorSpec([None], tf.string, "support_right"),
            tf.TensorSpec([None], tf.float32, "query"),
        ]
    )
    def echo(self, support_left, support_right, query):
        return {
            "left": support_left,
            "right": support_right,
            "right_bytes": support_right,
            "query": query,
        }


@pytest.fixture
def pairs(base, served_models):
    """What is served as `pairs`, in a folder."""
    folder, module = base / "pairs" / "1", Pairs()
    if not folder.exists():
        signatures = {"serving_default": module.echo}
        tf.saved_model.save(module, str(folder), signatures)
        served_models.refresh(at_once=True)
    return folder


def test_several_inputs_of_other_types_than_floats_arrive_exactly(ask, pairs):
    inputs = {
        "support_left": [[2**53 + 1, -(2**63)], [2**63 - 1, 0]],
        "support_right": ["Wörter ", {"b64": "/wA="}],
        "query": [0.1, 2**24 - 1],
    }
    status, answer = predict(ask, inputs, model="pairs")
    expected = {
        "left": inputs["support_left"],
        "right": inputs["support_right"],
        "right_bytes": [{"b64": "V8O2cnRlciA="}, {"b64": "/wA="}],
        "query": inputs["query"],
    }
    assert (status, answer) == (200, {"outputs": expected})
    rows = [
        dict(zip(inputs, row, strict=True))
        for row in zip(*inputs.values(), strict=True)
    ]
    path = "/v1/models/pairs:predict"
    status, answer = ask("POST", path, {"instances": rows})
    assert status == 200
    for i, row in enumerate(answer["predictions"]):
        assert row == {name: value[i] for name, value in expected.items()}
    status, answer = predict(
        ask, inputs | {"support_right": ["a", 5]}, model="pairs"
    )
    assert status == 400 and "support_right must be texts" in answer["error"]
    _, answer = ask("POST", path, {"instances": [1]})
    assert "must name the inputs" in answer["error"]


def test_a_folder_and_a_server_take_the_same_texts(pairs, port):
    """And integers, from arrays and from lists."""
    inputs = {
        "support_left": np.array([[2**53 + 1, -1]]),
        "support_right": np.array(["ö"]),
        "query": np.array([1.0]),
    }
    for place in (pairs, f"http://127.0.0.1:{port}/v1/models/pairs"):
        model = client.connect(place)
        for text in ("ö", b"\xff\x00"):
            answer = model.predict(
                "serving_default", inputs | {"support_right": [text]}
            )
            raw = text if isinstance(text, bytes) else text.encode()
            assert answer["right"].tolist() == [raw]
            assert answer["left"].dtype == np.int64
            assert answer["left"].tolist() == [[2**53 + 1, -1]]
            assert answer["query"].dtype == np.float32
        for name, wrong in (
            ("support_right", [5]),
            ("support_right", ["a", 5]),
            ("support_right", np.array([5], object)),
            ("support_left", [[0.5, 1.0]]),
            ("support_left", [[2**63, 1]]),
            ("support_left", [[1], [1, 2]]),
            ("query", [2**24 + 1]),
            ("query", ["a"]),
        ):
            with pytest.raises(ValueError, match=f"{name} must be"):
                model.predict("serving_default", inputs | {name: wrong})


class Echo(tf.Module):
    """A single input, of texts, which comes unnamed."""

    @tf.function(input_signature=[tf.TensorSpec(None, tf.string, "text")])
    def echo(self, text):
        return {"text": text}


def test_texts_in_base64_are_no_names_of_inputs(ask, base, served_models):
    module, folder = Echo(), base / "echo" / "1"
    signatures = {"serving_default": module.echo}
    tf.saved_model.save(module, str(folder), signatures)
    served_models.refresh(at_once=True)
    raw = {"b64": "/wA="}
    path = "/v1/models/echo:predict"
    for given in (raw, {"text": raw}):
        assert predict(ask, given, "echo") == (200, {"outputs": raw})
        body = {"instances": [given, given]}
        assert ask("POST", path, body) == (200, {"predictions": [raw, raw]})
    _, answer = ask("POST", path, {"instances": [raw, {"text": raw}]})
    assert "row 0 names none" in answer["error"]
