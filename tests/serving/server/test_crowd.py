"""More connections, requests and pieces than there may be."""

import asyncio
import contextlib
import http.client
import json
import logging
import socket
import time
import types

import pytest
import running
from rest_requests import GIVEN

from reptile_tf.serving.server import connections
from reptile_tf.serving.server.crowd import Crowd

STATUS = b"GET /v1/models/line HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\n"


class Fake:
    """A connection that can be closed."""

    def __init__(self):
        self.closed = False
        self.transport = types.SimpleNamespace(abort=self.close)

    def close(self):
        self.closed = True


def test_the_longest_idle_makes_room():
    crowd, several = Crowd(3), [Fake() for _ in range(5)]
    for connection in several[:3]:
        crowd.join(connection)
    crowd.busy(several[0])
    crowd.idle(several[1])  # no longer than since now
    crowd.busy(several[2])
    crowd.idle(several[2])
    crowd.join(several[3])
    assert [c.closed for c in several] == [False, True, False, False, False]
    for connection in (several[2], several[3]):
        crowd.busy(connection)
    crowd.join(several[4])  # where none is idle, the new one goes
    assert [c.closed for c in several] == [False, True, False, False, True]
    crowd.leave(several[0])
    crowd.leave(several[0])
    last = Fake()
    crowd.join(last)
    assert not last.closed


@pytest.fixture
def crowded(served_models):
    """The port of a server with room for eight connections."""
    with running.serving(served_models, most_connections=8) as port:
        yield port


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(30)
    return connection


def answer(connection):
    """A whole answer, as (status, headers, body)."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, response.headers, response.read().decode()


def test_idle_clients_keep_nobody_out(crowded):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(crowded)) for _ in range(50)]
        asking = stack.enter_context(connect(crowded))
        asking.sendall(STATUS)
        assert answer(asking)[0] == 200
        with contextlib.suppress(ConnectionResetError):
            assert idle[0].recv(10) == b""  # closed


def test_heads_without_a_body_keep_nobody_out(crowded):
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            connection = stack.enter_context(connect(crowded))
            connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        asking = stack.enter_context(connect(crowded))
        asking.sendall(STATUS)
        assert answer(asking)[0] == 200


def test_requests_are_limited_and_told_so(served_models):
    """In JSON, and not by the number of connections, or of their heads."""
    body = json.dumps({"inputs": GIVEN}).encode()
    with running.serving(served_models, most_requests=0) as port:
        with connect(port) as connection:
            for _ in range(2):
                connection.sendall(
                    POST + f"Content-Length: {len(body)}\r\n\r\n".encode()
                )
                connection.sendall(body)
                status, _, told = answer(connection)
                told = json.loads(told)
                assert status == 503
                message = "Too many requests at a time; try again"
                assert told == {"error": message}
            connection.sendall(STATUS)  # which computes nothing
            assert answer(connection)[0] == 200


def test_who_reads_no_answer_is_closed(port):
    """Though the system takes in what is sent, and the body is refused."""
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    ask = b"GET /v1/models/line/metadata HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(ask * 100 + head + chunked(b" " * 1100, 1))
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 20:
                connection.sendall(b" ")
                time.sleep(0.1)


def chunked(content, size):
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    return (
        b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    )


def test_a_body_in_too_many_pieces_is_refused(port, ask):
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    with connect(port) as connection:
        for length, size in ((190, 1), (10_000, 100)):
            connection.sendall(head + chunked(b" " * length, size))
            assert "JSON Parse error" in answer(connection)[2]  # it was read
    with connect(port) as connection:
        connection.sendall(head + chunked(b" " * 1100, 1))
        status, _, told = answer(connection)
        assert status == 400
        assert "The body comes in 201 pieces for 201 bytes" in told
        assert connection.recv(10) == b""  # closed
    assert ask("GET", "/v1/models/line")[0] == 200


def test_what_is_no_http_is_told_in_json(port):
    with connect(port) as connection:
        connection.sendall(b"\x16\x03\x01 nothing of the kind\r\n\r\n")
        status, _, told = answer(connection)
    assert (status, list(json.loads(told))) == (400, ["error"])


def test_failures_to_accept_are_logged_once_a_second(caplog):
    handler, loop = connections.AcceptFailures(), asyncio.new_event_loop()
    context = {
        "message": "socket.accept() out of system resource",
        "exception": OSError(24, "Too many open files"),
    }
    with caplog.at_level(logging.ERROR):
        for _ in range(1000):
            handler(loop, context)
        assert len(caplog.records) == 1
        assert "Too many open files" in caplog.text
        handler(loop, {"message": "something else"})
    assert "something else" in caplog.text
    loop.close()
