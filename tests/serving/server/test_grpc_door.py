"""Clients of gRPC who come in crowds, send too much, and do not read."""

import contextlib
import gc
import gzip
import socket
import threading
import tracemalloc

import grpc
import http2
import numpy as np
import pytest
import running
import tensorflow as tf
from rest_requests import GIVEN, MAX_BODY_BYTES
from tensorflow_serving.apis import predict_pb2

from reptile_tf.serving.server import (
    crowd,
    grpc_api,
    grpc_door,
    grpc_messages,
    listening,
)

METHOD = "/tensorflow.serving.PredictionService/Predict"
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def asked():
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "line"
    for name, value in GIVEN.items():
        dtype = np.int32 if name == "steps" else np.float32
        tensor = tf.make_tensor_proto(np.asarray(value, dtype))
        request.inputs[name].CopyFrom(tensor)
    return request.SerializeToString()


@pytest.fixture(scope="module")
def place(served_models):
    """The address of a server with room for eight connections."""
    place = listening.bind("127.0.0.1", 0)
    address = place.getsockname()
    with running.serving(
        served_models,
        grpc_place=place,
        max_body_bytes=MAX_BODY_BYTES,
        client_timeout=1,
        most_connections=8,
    ):
        yield address


@pytest.fixture
def call(place):
    """Asks with the bytes of a message, on a connection of its own."""
    own = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel("{}:{}".format(*place), own) as channel:
        yield channel.unary_unary(METHOD)


def opened(place, sent):
    connection = socket.create_connection(place)
    connection.settimeout(30)
    connection.sendall(sent)
    return connection


def is_answered(connection):
    """Whether an answer comes, or else the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(1 << 16):
            received += more
            if http2.answered(received):
                return True
    return False


@contextlib.contextmanager
def refused(code, words):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() == code
    assert words in caught.value.details()


def test_idle_clients_keep_nobody_out(place, call):
    with contextlib.ExitStack() as stack:
        idle = [
            stack.enter_context(opened(place, http2.begun())) for _ in range(30)
        ]
        assert call(asked(), timeout=30)
        assert not is_answered(idle[0])  # but closed


def test_no_answer_is_lost_when_connections_end(served_models, monkeypatch):
    """As each does after some minutes; the client connects anew."""
    monkeypatch.setattr(grpc_api, "_AGE_MS", 50)
    place = listening.bind("127.0.0.1", 0)
    address = "{}:{}".format(*place.getsockname())
    settings = {"grpc_place": place, "max_body_bytes": MAX_BODY_BYTES}
    with running.serving(served_models, **settings):
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(METHOD)
            for _ in range(150):
                assert call(asked(), timeout=30)


def test_who_sends_nothing_is_closed(place):
    with opened(place, b"") as connection:
        assert not is_answered(connection)


def test_a_message_that_comes_too_slowly(place):
    over = threading.Event()

    def nothing():
        over.wait()
        yield from ()

    with grpc.insecure_channel("{}:{}".format(*place)) as channel:
        with refused(grpc.StatusCode.DEADLINE_EXCEEDED, "came too slowly"):
            channel.stream_unary(METHOD)(nothing(), timeout=30)
        over.set()


def test_messages_are_bounded_together(place, call, monkeypatch):
    monkeypatch.setattr(crowd, "LONG", 5_000)
    sent = http2.begun() + http2.message(b" " * 19_000, MAX_BODY_BYTES)
    held = [opened(place, sent) for _ in range(5)]
    # The first, which had been idle for longest, made room for the last.
    found = [is_answered(connection) for connection in held]
    assert found == [False, True, True, True, True]
    assert call(asked(), timeout=30)
    for connection in held:
        connection.close()


def test_what_is_long_has_to_wait(call, monkeypatch):
    passed = []

    async def note(_, size):
        passed.append(size)

    monkeypatch.setattr(grpc_door.Throttle, "passed", note)
    monkeypatch.setattr(grpc_door, "LONG", 5_000)
    assert call(asked(), timeout=30)
    assert not passed
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "must be a PredictRequest"):
        call(b"\xff" * 19_000, timeout=30)
    assert sum(passed) > 5_000


def test_who_does_not_take_an_answer_is_closed(place):
    with opened(place, http2.begun(window=0)) as connection:
        connection.sendall(http2.message(asked()))
        assert is_answered(connection)  # of which only the head may come
        while connection.recv(1 << 16):
            pass


def test_what_is_packed_is_inflated_within_the_limit(call):
    plain, expected = asked(), call(asked(), timeout=30)
    for how in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        assert call(plain, timeout=30, compression=how) == expected
        with refused(EXHAUSTED, "longer than 20000 bytes"):
            call(bytes(10**6), timeout=30, compression=how)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "ends too early"):
        call(gzip.compress(plain)[:-9], timeout=30)


def test_what_is_no_request_is_refused(call):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "must be a PredictRequest"):
        call(b"\xff\xff", timeout=30)
    with refused(EXHAUSTED, "larger than max"):
        call(b" " * 20_001, timeout=30)


def test_what_is_refused_is_not_kept(call):
    """Not even until garbage is looked for, which a server rarely does."""
    message, count = b"\xff" * 19_000, 50

    def is_refused():
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "must be a Predict"):
            call(message, timeout=30)

    is_refused()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(count):
            is_refused()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert kept < count * len(message)  # some is garbage of the client


@pytest.mark.parametrize(
    "part", [b"\x12\x00", b"\x1a\x00", b"\x12\x04\x12\x02\x42\x00"]
)
def test_a_message_of_too_many_parts_is_not_parsed(part):
    """Inputs, names, and texts of tensors."""
    kind = predict_pb2.PredictRequest
    assert grpc_messages.parsed(part * 5_000, kind) is not None
    with pytest.raises(ValueError, match="more than 20000 parts"):
        grpc_messages.parsed(part * 1_000_000, kind)


@pytest.mark.parametrize(
    "message", [b"\x0a", b"\xff" * 11, b"\x0b", b"\x12\xff\xff\xff\xff\x7fa"]
)
def test_what_is_cut_or_damaged_is_no_message(message):
    with pytest.raises(ValueError, match="must be a PredictRequest"):
        grpc_messages.parsed(message, predict_pb2.PredictRequest)


def test_random_bytes_lead_to_no_other_error():
    draw, kind = np.random.default_rng(0), predict_pb2.PredictRequest
    whole = asked()
    for _ in range(500):
        damaged = bytearray(whole)
        for place in draw.integers(0, len(whole), 3):
            damaged[place] = draw.integers(256)
        with contextlib.suppress(ValueError):
            assert grpc_messages.parsed(bytes(damaged), kind) is not None
    assert grpc_messages.parsed(whole, kind).SerializeToString()
