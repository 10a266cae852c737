"""Connections: a client decides when to open one, and what to send on it.

Uvicorn waits for the head of a request, and for an answer to be read, as long
as a client likes, and takes as many connections as come.
"""

import asyncio
import json
import logging
import resource
import time
from typing import Any

from reptile_tf.serving.server import request_body
from reptile_tf.serving.server.crowd import Crowd
from reptile_tf.utils.extras import extra

with extra("serve"):
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

_MOST = 1000  # connections at a time
_PIECES = 200  # of a body, however short they are
_PIECE = 256  # bytes of the body for each piece more


def protocol(
    timeout: float, max_bytes: int = 64 << 20, most: int | None = None
) -> type[H11Protocol]:
    """Returns uvicorn's HTTP protocol, with limits.

    Args:
        timeout: seconds from a connection's start, or from the first byte of a
            later request, to the end of the request's head; and seconds that a
            client may leave an answer unread.
        max_bytes: longest request body; four times as much may be unread of all
            answers together.
        most: connections at a time; if None, half of the files that the process
            may open, and no more than a thousand.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    crowd = Crowd(
        most or min(_MOST, max(1, files // 2)),
        request_body.LONG_BODIES * max_bytes,
    )
    return type(
        "_Impatient", (_Impatient,), {"timeout": timeout, "crowd": crowd}
    )


class _Impatient(H11Protocol):
    """Uvicorn's HTTP protocol with a limit to its patience.

    Attributes:
        timeout: as of `protocol`.
        crowd: all connections.
    """

    timeout: float
    crowd: Crowd
    _head: asyncio.TimerHandle | None = None
    _answer: asyncio.TimerHandle | None = None
    _waits = False  # for its client to read, until the next request begins

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.conn = _Counting(
            h11.SERVER, self.config.h11_max_incomplete_event_size or 65536
        )
        self._await_head()
        self.crowd.join(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._waits:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        else:  # it is there; the application minds the body
            self._stop_awaiting_head()
            self._note_request()

    def on_response_complete(self) -> None:
        self.crowd.idle(self)
        # Another answer would be kept in memory beside this one.
        self._waits = self.flow.write_paused
        if self._waits:
            return
        super().on_response_complete()
        self._note_request()  # the next may have been there already
        if self.transport.is_closing():
            self._close_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.leave(self)
        self._stop_awaiting_head()
        self._stop_awaiting_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:  # the client reads too slowly
        super().pause_writing()
        # Not `close`, which waits for the client to read the rest.
        self._answer = self.loop.call_later(self.timeout, self.transport.abort)
        self.crowd.hold(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_awaiting_reader()
        self.crowd.hold(self, 0)
        if self._waits:
            self.on_response_complete()

    def send_400_response(self, msg: str) -> None:
        content = json.dumps(
            {"error": getattr(self.conn, "refusal", "") or msg}
        ).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(content))),
            ("connection", "close"),
        ]
        try:
            events = [
                h11.Response(
                    status_code=400, headers=headers, reason=b"Bad Request"
                ),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ]
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()
            self._close_soon()
        except h11.LocalProtocolError:  # an answer has begun
            self.transport.abort()
        if self.cycle is not None:  # nobody waits for its answer
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _note_request(self) -> None:
        cycle = self.cycle
        if not cycle.response_complete and not cycle.more_body:
            self.crowd.busy(self)

    def _close_soon(self) -> None:
        """Closes it, also if the client does not read what was sent."""
        self.loop.call_later(self.timeout, self.transport.abort)

    def _await_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(
                self.timeout, self.transport.abort
            )

    def _stop_awaiting_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_awaiting_reader(self) -> None:
        if self._answer is not None:
            self._answer.cancel()
            self._answer = None


class _Counting(h11.Connection):
    """Counts the pieces of a body, each of which takes time to read.

    Attributes:
        refusal: what a client is told whose body has too many; "" before.
    """

    refusal = ""
    _pieces = _bytes = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._bytes += len(event.data)
            if self._pieces > _PIECES + self._bytes // _PIECE:
                self.refusal = (
                    f"The body comes in {self._pieces} pieces for "
                    f"{self._bytes} bytes; send it in pieces of 4 KiB or more"
                )
                raise h11.RemoteProtocolError(self.refusal)
        return event


class AcceptFailures:
    """Logs the failures to take a connection, once a second at most.

    It is for `set_exception_handler` of an event loop, which calls it for each
    of thousands where the process has no file descriptor left.
    """

    def __init__(self) -> None:
        self._last = -1.0

    def __call__(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        """Logs what went wrong in an event loop."""
        if "accept" not in context.get("message", ""):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._last >= 1:
            self._last = time.monotonic()
            logging.getLogger(__name__).error(
                "%s: %s", context["message"], context.get("exception")
            )
