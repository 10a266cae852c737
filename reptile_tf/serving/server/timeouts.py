"""Closing the connections of clients that do not send, or do not read.

Uvicorn waits for the head of a request, and for an answer to be read, as long
as a client likes; each such client holds a connection, or an answer, for ever.
"""

import asyncio

from reptile_tf.utils.extras import extra

with extra("serve"):
    from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(timeout: float) -> type[H11Protocol]:
    """Returns uvicorn's HTTP protocol with a limit to its patience.

    Args:
        timeout: seconds from a connection's start, or from the first byte of a
            later request, to the end of the request's head; and seconds that a
            client may leave an answer unread.
    """

    class Impatient(H11Protocol):
        _head: asyncio.TimerHandle | None = None
        _answer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._await_head()
            else:  # it is there; the application minds the body
                self._stop_awaiting_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_awaiting_head()
            self._stop_awaiting_reader()
            super().connection_lost(exc)

        def pause_writing(self) -> None:  # the client reads too slowly
            super().pause_writing()
            # Not `close`, which waits for the client to read the rest.
            self._answer = self.loop.call_later(timeout, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop_awaiting_reader()

        def _await_head(self) -> None:
            if self._head is None:
                self._head = self.loop.call_later(timeout, self.transport.abort)

        def _stop_awaiting_head(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

        def _stop_awaiting_reader(self) -> None:
            if self._answer is not None:
                self._answer.cancel()
                self._answer = None

    return Impatient
