"""gRPC, by the public stubs of TF Serving; and REST beside it."""

import contextlib
import threading

import grpc
import numpy as np
import pytest
import running
import tensorflow as tf
import test_memory
from exported import WAYS
from rest_requests import GIVEN
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from reptile_tf.serving import client
from reptile_tf.serving.server import listening

INPUTS = {
    name: np.asarray(value, np.int32 if name == "steps" else np.float32)
    for name, value in GIVEN.items()
}


@pytest.fixture(scope="module")
def places(base, folder):
    """The addresses of a server's gRPC and REST, and its models."""
    (base / "toy").mkdir()
    (base / "toy" / "1").symlink_to(folder)
    models = running.load(base)
    place = listening.bind("127.0.0.1", 0)
    address = listening.address(place)
    with running.serving(models, grpc_place=place) as port:
        yield address, f"http://127.0.0.1:{port}/v1/models", models


@pytest.fixture(scope="module")
def channel(places):
    with grpc.insecure_channel(places[0]) as channel:
        yield channel


@pytest.fixture(scope="module")
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(signature="adapt_and_predict", inputs=INPUTS, model="line", **more):
    asked = predict_pb2.PredictRequest(**more)
    asked.model_spec.name = model
    asked.model_spec.signature_name = signature
    for name, value in inputs.items():
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return asked


def arrays(answer):
    return {k: tf.make_ndarray(v) for k, v in answer.outputs.items()}


def test_every_signature_is_answered_alike_over_grpc_and_rest(
    places, predictions, task
):
    """As the model itself answers, for every signature of a classifier."""
    _, url, models = places
    support = (255 * task.support_x.numpy()).astype(np.uint8)
    queries = (255 * task.query_x.numpy()).astype(np.uint8)
    model, rest = models.get("toy"), client.connect(f"{url}/toy")
    vector = model.predict("initialization", {})["weights"]
    given = {
        "support_labels": task.support_y.numpy().astype(np.int32),
        "steps": np.int32(3),
        "weights": vector,
    }
    for signature, dtypes in model.dtypes.items():
        scale = 1 if "uint8" in signature else np.float32(1 / 255)
        given["support_images"] = support * scale
        given["query_images"] = queries * scale
        inputs = {name: given[name] for name in dtypes}
        expected = model.predict(signature, inputs)
        answer = predictions.Predict(request(signature, inputs, "toy"))
        assert answer.model_spec.signature_name == signature
        assert answer.model_spec.version.value == 1
        found = [arrays(answer)]
        if inputs:  # as TF Serving, which answers the others over gRPC alone
            found.append(rest.predict(signature, inputs))
        for outputs in found:
            assert sorted(outputs) == sorted(expected)
            for name, value in expected.items():
                np.testing.assert_array_equal(outputs[name], value)
    assert expected["probabilities"].shape == (len(queries), WAYS)


def test_the_metadata_and_the_status(channel, predictions):
    asked = get_model_metadata_pb2.GetModelMetadataRequest()
    asked.model_spec.name = "line"
    asked.metadata_field.append("signature_def")
    answer = predictions.GetModelMetadata(asked)
    known = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(known)
    [steps] = known.signature_def["limits"].defaults["max_steps"].int_val
    assert (answer.model_spec.version.value, steps) == (1, 1000)
    statuses = model_service_pb2_grpc.ModelServiceStub(channel)
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "line"
    [version] = statuses.GetModelStatus(asked).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (version.version, version.state) == (1, available)
    assert version.status.error_code == 0
    asked.model_spec.version.value = 7
    with refused(grpc.StatusCode.NOT_FOUND, "version 7 of model line"):
        statuses.GetModelStatus(asked)


@contextlib.contextmanager
def refused(code, words):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() == code
    assert words in caught.value.details()


def test_outputs_that_are_not_asked_for_are_not_sent(predictions):
    asked = request("adapt_and_predict", output_filter=["predictions"])
    assert list(arrays(predictions.Predict(asked))) == ["predictions"]
    asked = request("adapt_and_predict", output_filter=["nothing"])
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "output_filter must be"):
        predictions.Predict(asked)


def test_what_does_not_fit_is_refused_with_its_name(predictions):
    invalid, missing = (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    )
    with refused(missing, "Latest(other)"):
        predictions.Predict(request(model="other"))
    with refused(invalid, '"x" not found'):
        predictions.Predict(request("x"))
    for name, value, words in (
        ("steps", np.int32(5000), "steps must be 0 to 1000; received 5000"),
        ("steps", np.float32(1), "steps must be of type int32; received"),
        ("more", np.float32(1), "has the unknown more"),
        ("query_inputs", np.zeros([2, 3], "f"), "must have shape [n 1]"),
        ("query_inputs", np.array(["a"]), "of type float32"),
    ):
        with refused(invalid, words):
            predictions.Predict(request(inputs=INPUTS | {name: value}))
    asked = get_model_metadata_pb2.GetModelMetadataRequest()
    asked.model_spec.name = "line"
    with refused(invalid, "metadata_field must be signature_def"):
        predictions.GetModelMetadata(asked)


@pytest.mark.parametrize(
    "sizes", [[10**12, 1], [-1, 1], [2**62, 2**62], [3] * 200]
)
def test_a_tensor_does_not_become_larger_than_it_was_sent(predictions, sizes):
    """One number stands for as many as the shape says."""
    asked = request()
    shape = asked.inputs["query_inputs"].tensor_shape
    del shape.dim[:]
    for size in sizes:
        shape.dim.add(size=size)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "query_inputs is too large"):
        predictions.Predict(asked)


def test_a_request_has_no_more_numbers_than_its_model_can_need(predictions):
    """Of three inputs of up to a thousand, and the steps."""
    asked = request()
    for name in ("support_inputs", "query_inputs"):
        asked.inputs[name].tensor_shape.dim[0].size = 1600
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "at most 3001 numbers"):
        predictions.Predict(asked)


def test_a_tensor_has_no_more_numbers_than_its_model_can_need(predictions):
    """Whatever its shape says."""
    asked = request()
    asked.inputs["query_inputs"].float_val.extend([1.0] * 5000)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "query_inputs is too large"):
        predictions.Predict(asked)


def test_versions_and_labels(places, predictions):
    asked = request()
    asked.model_spec.version.value = 1
    assert predictions.Predict(asked).model_spec.version.value == 1
    asked.model_spec.version.value = 2
    with refused(grpc.StatusCode.NOT_FOUND, "Specific(2)(line)"):
        predictions.Predict(asked)
    asked.model_spec.version_label = "canary"
    with refused(grpc.StatusCode.NOT_FOUND, "label: canary"):
        predictions.Predict(asked)


def test_streams_without_a_message_keep_nobody_out(places, predictions):
    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
    with grpc.insecure_channel(places[0], own) as other:
        call = other.stream_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
        )
        over, held = threading.Event(), []

        def nothing():
            over.wait()
            yield from ()

        for _ in range(300):
            held.append(call.future(nothing()))
        answer = predictions.Predict(request(), timeout=30)
        assert arrays(answer)["predictions"].shape == (2, 1)
        for one in held:
            one.cancel()
        over.set()


@pytest.mark.long
@pytest.mark.skipif(
    not test_memory.STATM.exists(), reason="only Linux tells of itself"
)
def test_thousands_of_requests_take_no_memory(predictions):
    asked = request(inputs=INPUTS | {"query_inputs": np.ones([400, 1], "f")})
    for _ in range(300):
        predictions.Predict(asked)
    before = test_memory.resident()
    for _ in range(2000):
        predictions.Predict(asked)
    assert test_memory.resident() - before < 2000 * 800


def test_a_port_of_grpc_that_is_taken(places):
    port = int(places[0].partition(":")[2])
    with pytest.raises(ValueError, match=f"port {port}: Address already in"):
        listening.bind("127.0.0.1", port)
