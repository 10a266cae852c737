"""Bodies that are too long, or too many, or come too slowly."""

import asyncio
import contextlib
import gzip
import http.client
import json
import socket
import time

import psutil
import running
from rest_requests import GIVEN, MAX_BODY_BYTES, predict

from reptile_tf.serving.server import request_body


def test_a_body_over_the_limit(ask):
    status, answer = predict(ask, GIVEN | {"query_inputs": [[1.0]] * 10_000})
    assert status == 413 and "20000 bytes" in answer["error"]


def test_slow_clients_are_dropped_and_hold_up_nobody(port, ask):
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for connection in slow:
        connection.sendall(
            b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\n"
            b'Content-Length: 1000\r\n\r\n{"inputs"'
        )
    assert predict(ask)[0] == 200
    for connection in slow:
        connection.settimeout(30)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
        connection.close()


def test_long_bodies_are_bounded_together(port, ask, monkeypatch):
    monkeypatch.setattr(request_body, "LONG", 5_000)
    head = b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\n"
    head += f"Content-Length: {MAX_BODY_BYTES}\r\n\r\n".encode()
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    for connection in held:
        connection.settimeout(30)
        connection.sendall(head + b" " * (MAX_BODY_BYTES - 1))
    assert predict(ask)[0] == 200  # short ones come through
    answers = [connection.recv(2000) for connection in held]
    statuses = sorted(answer.split()[1] for answer in answers)
    assert statuses == [b"408"] * 4 + [b"503"]
    for connection in held:
        connection.close()
    long = GIVEN | {"query_inputs": [[1.0]] * 1_000}
    assert predict(ask, long)[0] == 200


def test_a_body_of_a_length_that_is_too_long_is_not_waited_for(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(30)
        connection.sendall(
            b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 99999999999\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_is_no_longer_than_its_model_can_need(served_models):
    """Of inputs of a thousand numbers each there are three."""
    with running.serving(served_models) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        with contextlib.closing(connection):
            whole = {
                name: [[0.12345678901234567]] * 1000
                for name in GIVEN
                if name != "steps"
            }
            body = json.dumps({"inputs": whole | {"steps": 1}}, indent=1)
            for length, status in ((len(body), 200), (200_000, 413)):
                connection.request(
                    "POST", "/v1/models/line:predict", body.ljust(length)
                )
                response = connection.getresponse()
                response.read()
                assert response.status == status


def test_a_body_in_gzip_is_inflated_within_the_limit(port):
    body = json.dumps({"inputs": GIVEN}).encode()
    whole = gzip.compress(body)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with contextlib.closing(connection):
        for given, coding, status, words in (
            (whole, "gzip", 200, "outputs"),
            (body, "gzip", 400, "no gzip"),
            (whole[:-9], "gzip", 400, "too early"),
            (gzip.compress(b" " * 10**8), "gzip", 413, "longer than 20000"),
            (whole + whole, "gzip", 400, "goes on behind its end"),
            (body, "identity", 200, "outputs"),
            (body, "br", 400, "must be gzip; received 'br'"),
        ):
            connection.request(
                "POST",
                "/v1/models/line:predict",
                given,
                {"Content-Encoding": coding},
            )
            response = connection.getresponse()
            assert words in response.read().decode()
            assert response.status == status


def test_bodies_are_inflated_one_at_a_time(monkeypatch):
    now, most = [], []

    def inflated(body, _):
        now.append(body)
        most.append(len(now))
        time.sleep(0.01)
        now.remove(body)
        return body

    async def all_at_once():
        bodies = [bytes([i]) for i in range(5)]
        return await asyncio.gather(
            *[request_body.inflate(body, 1) for body in bodies]
        )

    monkeypatch.setattr(request_body, "inflated", inflated)
    assert asyncio.run(all_at_once()) == [bytes([i]) for i in range(5)]
    assert most == [1] * 5


def test_long_bodies_are_read_in_a_process_of_their_own(ask, monkeypatch):
    monkeypatch.setattr(request_body, "LONG", 5_000)
    long = GIVEN | {"query_inputs": [[1.0]] * 1_000}
    status, answer = predict(ask, long)
    assert (status, len(answer["outputs"])) == (200, 1000)
    _, answer = predict(ask, GIVEN | {"query_inputs": [["x"]] * 1_000})
    assert answer["error"].startswith("query_inputs must be finite numbers")
    [process] = [
        child
        for child in psutil.Process().children()
        if "spawn_main" in "".join(child.cmdline())
    ]
    process.kill()  # as the system does where memory is short
    process.wait()
    assert predict(ask, long)[0] in (200, 503)
    assert predict(ask, long)[0] == 200
