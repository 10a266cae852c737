"""Requests that take long: their lane, their deadline, their clients."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time

import grpc
import numpy as np
import pytest
import running
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from reptile_tf.serving.server import computing as computing_module
from reptile_tf.serving.server import listening
from reptile_tf.serving.server.computing import Computing
from reptile_tf.serving.server.pace import Pace
from reptile_tf.utils import machine

TIMEOUT = 0.5
ENDLESS = 100_000_000


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    base = tmp_path_factory.mktemp("endless")
    running.save_loop(base / "loop" / "1")
    return running.load(base)


@pytest.fixture(scope="module")
def grpc_place():
    return listening.bind("127.0.0.1", 0)


@pytest.fixture(scope="module")
def address(grpc_place):
    return listening.address(grpc_place)


@pytest.fixture(scope="module")
def port(models, grpc_place, address):
    with running.serving(
        models, timeout=TIMEOUT, grpc_place=grpc_place
    ) as port:
        yield port


def body(steps):
    return json.dumps({"inputs": {"steps": steps}})


def ask(port, steps):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/models/loop:predict", body(steps))
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def test_a_request_that_takes_too_long_is_ended(port, models):
    start = time.monotonic()
    told = "The request took longer than the 0.5 seconds that it may"
    assert ask(port, ENDLESS) == (504, {"error": told})
    assert time.monotonic() - start < 10 * TIMEOUT
    # It ends, and how long it took at least is known of the next of its kind.
    model, given = models.get("loop"), {"steps": np.int32(ENDLESS)}
    while model.pace.expect("serving_default", given) < TIMEOUT / 2:
        assert time.monotonic() - start < 10 * TIMEOUT
        time.sleep(0.01)


def test_over_grpc_it_ends_too(port, address, models):
    """At the server's deadline, and when the client goes."""
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = "loop"
    asked.inputs["steps"].CopyFrom(tf.make_tensor_proto(ENDLESS))
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(asked)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert "longer than the 0.5 seconds" in caught.value.details()
        for _ in range(8):
            with pytest.raises(grpc.RpcError):
                stub.Predict(asked, timeout=0.05)
        asked.inputs["steps"].CopyFrom(tf.make_tensor_proto(3))
        answer = stub.Predict(asked)
        assert tf.make_ndarray(answer.outputs["made"]) == 3


def test_what_is_computed_ends_when_the_client_goes(models):
    """With a deadline that is far away, and more clients than threads."""
    with running.serving(models, timeout=600) as port:
        for _ in range(8):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                content = body(ENDLESS).encode()
                connection.sendall(
                    b"POST /v1/models/loop:predict HTTP/1.1\r\nHost: x\r\n"
                    + f"Content-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
                time.sleep(0.05)
        assert ask(port, 3) == (200, {"outputs": 3})
        _, answer = ask(port, 1000)
        assert answer == {"outputs": 1000}


class Blocked:
    """A model whose long requests end when they may."""

    def __init__(self):
        self.pace, self.go_on = Pace(), threading.Event()
        self.pace.note("long", {}, 60.0)

    def predict(self, signature, inputs, cancellation):
        if signature == "long":
            self.go_on.wait()
        return signature


def test_short_requests_do_not_wait_for_long_ones():
    model, computing = Blocked(), Computing()

    async def both():
        long = [
            asyncio.ensure_future(computing.predict(model, "long", {}))
            for _ in range(20)
        ]
        await asyncio.sleep(0.1)  # as many as may have begun
        short = [computing.predict(model, "short", {}) for _ in range(20)]
        async with asyncio.timeout(30):
            assert await asyncio.gather(*short) == ["short"] * 20
        model.go_on.set()
        return await asyncio.gather(*long)

    assert asyncio.run(both()) == ["long"] * 20


def test_a_long_request_gives_way_for_a_while(monkeypatch):
    model, computing = Blocked(), Computing()
    model.go_on.set()  # its long ones end at once
    never = threading.Event()

    class Busy(Blocked):
        def predict(self, signature, inputs, cancellation):
            never.wait()

    async def both():
        short = [
            asyncio.ensure_future(computing.predict(Busy(), "short", {}))
            for _ in range(machine.cores())
        ]
        await asyncio.sleep(0.1)
        long = asyncio.ensure_future(computing.predict(model, "long", {}))
        await asyncio.sleep(0.2)
        assert not long.done()
        left = asyncio.ensure_future(computing.predict(model, "long", {}))
        await asyncio.sleep(0)
        left.cancel()  # which takes no place with it
        monkeypatch.setattr(computing_module, "_GIVES_WAY", 0.1)
        again = asyncio.ensure_future(computing.predict(model, "long", {}))
        async with asyncio.timeout(30):
            assert await asyncio.gather(long, again) == ["long"] * 2
        never.set()
        await asyncio.gather(*short)

    asyncio.run(both())


def test_an_error_teaches_nothing_and_ends_the_turn():
    computing = Computing()

    class Refusing:
        pace = Pace()

        def predict(self, signature, inputs, cancellation):
            raise ValueError("no")

    async def ask_often():
        for _ in range(20):
            with pytest.raises(ValueError, match="no"):
                await computing.predict(Refusing(), "it", {"steps": 10**6})

    asyncio.run(ask_often())
    assert Refusing.pace.expect("it", {"steps": 10**6}) == 0


def test_the_pace_is_of_examples_and_of_steps_as_twenty():
    pace = Pace()
    given = {"steps": np.int32(50), "x": np.zeros([99, 3]), "y": np.zeros(1)}
    assert pace.expect("it", given) == 0  # of which nothing is known
    pace.note("it", given, 1.1)
    assert pace.expect("it", given) == pytest.approx(1.1)
    assert pace.expect("it", {"x": np.zeros(99)}) == pytest.approx(0.1)
    assert pace.expect("other", given) == 0
    pace.note("it", given, 2.2)
    assert pace.expect("it", given) == pytest.approx(1.65)
    # What was ended early would have taken more; it does not make it less.
    pace.note("it", given, 1.1, ended=False)
    assert pace.expect("it", given) == pytest.approx(1.65)
    pace.note("it", given, 3.3, ended=False)
    assert pace.expect("it", given) == pytest.approx(3.3)
    # Of a request of little, most of the time is none of its work.
    pace.note("it", {"steps": np.int32(0), "x": np.zeros(1)}, 1.0)
    assert pace.expect("it", given) == pytest.approx(3.3)


@pytest.mark.parametrize("steps", [[1], [[2]], "a", 1.5, -3, True, None])
def test_steps_that_are_none_are_none(steps):
    """The graph refuses them, after it was reckoned how long that takes."""
    pace = Pace()
    pace.note("it", {"steps": np.asarray(steps), "x": np.zeros(199)}, 1.0)
    assert pace.expect("it", {"x": np.zeros(199)}) == pytest.approx(1)
