"""Clients that do not end a request's head, or do not read the answer."""

import contextlib
import socket
import time

import pytest


@pytest.mark.parametrize("before", [b"", b"GET /v1/models/line HTTP/1.1\r\n"])
def test_a_head_that_never_ends_closes_the_connection(port, ask, before):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(30)
        connection.sendall(before)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    # The second request of a connection, too, though bytes keep coming.
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(30)
        head = b"GET /v1/models/line HTTP/1.1\r\nHost: x\r\n"
        connection.sendall(head + b"\r\n")
        assert b"200 OK" in connection.recv(1000)
        connection.sendall(head)
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 20:
                connection.sendall(b"X: y\r\n")
                time.sleep(0.1)
    assert ask("GET", "/v1/models/line")[0] == 200


def test_clients_that_do_not_read_are_dropped(port, ask):
    path = "/v1/models/line/metadata"
    asked = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(1)
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 20:
                with contextlib.suppress(TimeoutError):
                    connection.sendall(asked * 100)
    assert ask("GET", path)[0] == 200
