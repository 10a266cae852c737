"""Strangers who attack the local server over REST: a function for each way."""

import contextlib
import gzip
import http.client
import json
import socket
from typing import NamedTuple

import numpy as np

MODEL = "omniglot_5shot_5way"
PATH = f"/v1/models/{MODEL}:predict"
POST = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


class Target(NamedTuple):
    """The ports that are attacked."""

    rest: int
    grpc: int

    def connect(self, timeout: float = 60) -> http.client.HTTPConnection:
        """Returns a connection for requests over REST."""
        return http.client.HTTPConnection("127.0.0.1", self.rest, timeout)

    def open(self, sent: bytes, port: int | None = None) -> socket.socket:
        """Returns a connection on which bytes were sent."""
        place = ("127.0.0.1", port or self.rest)
        connection = socket.create_connection(place, 10)
        connection.sendall(sent)
        return connection


def make_inputs(draw: np.random.Generator, shots=5, steps=50, queries=5):
    """Returns the inputs of a request to tell five classes apart."""
    return {
        "support_images": draw.integers(0, 256, (5 * shots, 28, 28, 1)),
        "support_labels": np.arange(5 * shots) % 5,
        "query_images": draw.integers(0, 256, (queries, 28, 28, 1)),
        "steps": np.int64(steps),
    }


def make_body(inputs: dict, signature="adapt_and_predict_uint8") -> bytes:
    """Returns the body of a request over REST."""
    lists = {name: value.tolist() for name, value in inputs.items()}
    body = {"signature_name": signature, "inputs": lists}
    return json.dumps(body).encode()


def hold(opens, stop, most: int, seconds: float) -> None:
    """Opens connections, and holds the newest of them.

    Args:
        opens: returns a connection.
        stop: is set when it is time to end.
        most: that are held.
        seconds: between one and the next.
    """
    held = []
    while not stop.wait(seconds):
        with contextlib.suppress(OSError):
            held.append(opens())
        for old in held[:-most]:
            old.close()
        held = held[-most:]


def idle_crowd(target: Target, stop) -> None:
    """Holds more connections than the server may have, and asks nothing."""
    hold(lambda: target.open(b""), stop, 1500, 0.02)


def heads_without_bodies(target: Target, stop) -> None:
    """Says that bodies will come, on three hundred connections."""
    head = POST + b"Content-Length: 30000\r\n\r\n"
    hold(lambda: target.open(head), stop, 300, 0.1)


def unread_answers(target: Target, stop) -> None:
    """Asks for long answers, many on a connection, and reads none."""
    inputs = make_inputs(np.random.default_rng(2), shots=1, steps=0)
    del inputs["query_images"]
    body = make_body(inputs, "adapt_uint8")
    asked = POST + f"Content-Length: {len(body)}\r\n\r\n".encode() + body

    def ask():
        connection = target.open(b"")
        connection.setblocking(False)  # the server does not read all of them
        with contextlib.suppress(BlockingIOError):
            connection.send(20 * asked)
        return connection

    hold(ask, stop, 300, 0.2)


def slow_bodies(target: Target, stop) -> None:
    """Sends bodies a byte at a time, a hundred and fifty of them at once."""
    held = []
    while not stop.wait(0.1):
        with contextlib.suppress(OSError):
            held += [target.open(CHUNKED) for _ in range(150 - len(held))]
        for connection in list(held):
            try:
                connection.sendall(b"1\r\n \r\n")
            except OSError:
                connection.close()
                held.remove(connection)


def many_pieces(target: Target, stop) -> None:
    """Sends a body in as many pieces as it has bytes, again and again."""
    pieces = b"1\r\n \r\n" * 20_000
    while not stop.wait(0.2):
        with contextlib.suppress(OSError):
            with target.open(CHUNKED + pieces) as connection:
                connection.recv(1000)


def large_bodies(target: Target, stop) -> None:
    """Sends bodies of 35 megabytes, one after another."""
    numbers = json.dumps([0.1234567] * 3_200_000)
    body = f'{{"inputs": {{"support_images": {numbers}}}}}'.encode()
    while not stop.wait(0.1):
        post(target, body)


def gzip_bodies(target: Target, stop) -> None:
    """Sends gzip that inflates to much, or to nothing."""
    body = make_body(make_inputs(np.random.default_rng(3)))
    whole, bomb = gzip.compress(body), gzip.compress(b" " * 10**9, 9)
    just = gzip.compress(b" " * 40_000_000)  # which is not too long
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    kinds = (bomb, just, whole[:-1000], bytes(damaged), whole + whole, body)
    while not stop.wait(0.1):
        for sent in kinds:
            post(target, sent, {"Content-Encoding": "gzip"})


def leaving(target: Target, stop) -> None:
    """Asks for what takes long, and leaves before it is there."""
    draw = np.random.default_rng(1)
    body = make_body(make_inputs(draw, shots=40, steps=1000))
    while not stop.wait(0.1):
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = target.connect()
            connection.request("POST", PATH, body)
            stop.wait(0.5)
            connection.close()


def post(target: Target, body: bytes, headers: dict | None = None) -> None:
    """Sends a body on a connection of its own, and reads the answer."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = target.connect()
        connection.request("POST", PATH, body, headers or {})
        connection.getresponse().read()
        connection.close()


ATTACKS = (
    idle_crowd,
    heads_without_bodies,
    unread_answers,
    slow_bodies,
    many_pieces,
    large_bodies,
    gzip_bodies,
    leaving,
    leaving,
)
