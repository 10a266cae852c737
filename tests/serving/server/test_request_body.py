"""Bodies that are too long, or too many, or come too slowly."""

import socket

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
    monkeypatch.setattr(request_body, "_SHORT_BODY", 5_000)
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
