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

from reptile_tf.serving.server import connections, listening
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
    crowd, several = Crowd(3, 10**9), [Fake() for _ in range(5)]
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


def test_who_asks_now_and_then_stays_in_a_crowd_that_asks_nothing():
    crowd, client = Crowd(10, 10**9), Fake()
    crowd.join(client)
    crowd.busy(client)
    crowd.idle(client)
    for _ in range(30):
        crowd.join(Fake())
    assert not client.closed


def test_who_comes_has_room_in_a_crowd_that_has_asked():
    crowd, several = Crowd(10, 10**9), [Fake() for _ in range(10)]
    for connection in several:
        crowd.join(connection)
        crowd.busy(connection)
        crowd.idle(connection)
    coming = [Fake() for _ in range(5)]
    for connection in coming:
        crowd.join(connection)
    assert [c.closed for c in several] == [True] * 5 + [False] * 5
    assert not any(c.closed for c in coming)


def test_the_longest_idle_of_those_that_hold_much_makes_room():
    crowd, several = Crowd(9, 3_000_000), [Fake() for _ in range(4)]
    small, busy, idle, last = several
    for connection in several:
        crowd.join(connection)
    crowd.busy(busy)
    crowd.hold(small, 200_000)  # which is not counted
    for connection in (busy, idle, last):
        crowd.hold(connection, 1_000_000)
    assert not any(c.closed for c in several)
    crowd.hold(last, 1_000_001)
    assert [c.closed for c in several] == [False, False, True, False]
    crowd.hold(idle, 9_000_000)  # nothing is held for who has gone
    crowd.busy(last)
    crowd.hold(busy, 2_000_000)  # where none is idle, the one with more
    assert [c.closed for c in several] == [False, True, True, False]


@pytest.fixture
def crowded(served_models):
    """The port of a server with room for eight connections."""
    with running.serving(served_models, most_connections=8) as port:
        yield port


def connect(port, room=None):
    connection = socket.socket()
    if room:  # of the system, for what is not read
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
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


@pytest.fixture
def unread(served_models):
    """Sends two hundred requests, of which the system takes few answers."""
    ask = b"GET /v1/models/line/metadata HTTP/1.1\r\nHost: x\r\n\r\n"
    place, room = listening.bind("127.0.0.1", 0), 4096
    place.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    with contextlib.ExitStack() as stack:

        def send(max_body_bytes):
            serving = running.serving(
                served_models, place, max_body_bytes=max_body_bytes
            )
            port = stack.enter_context(serving)
            connection = stack.enter_context(connect(port, room))
            connection.sendall(ask * 200)
            return connection

        yield send


def test_who_reads_late_is_answered_in_full(unread):
    connection = unread(20_000)
    time.sleep(0.3)
    with connection.makefile("rb") as file:
        for _ in range(200):
            assert file.readline() == b"HTTP/1.1 200 OK\r\n"
            length = 0
            while (line := file.readline()) != b"\r\n":
                if line.startswith(b"content-length"):
                    length = int(line.split()[1])
            assert len(file.read(length)) == length > 0


def test_answers_that_are_not_read_are_bounded_together(unread, monkeypatch):
    monkeypatch.setattr("reptile_tf.serving.server.crowd.LONG", 1000)
    connection = unread(10_000)
    time.sleep(0.5)
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(1 << 16):
            received += more
    assert 0 < received.count(b"200 OK") < 100  # then it was closed


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
