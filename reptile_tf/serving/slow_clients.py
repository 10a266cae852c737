"""Connections that do not bring a request are closed.

Uvicorn waits for the head of a request as long as a client likes, and a client
that never finishes one holds a connection for ever.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol(timeout: float) -> type[H11Protocol]:
    """Returns uvicorn's HTTP protocol with a limit to its patience.

    Args:
        timeout: seconds from a connection's start, or from the first byte of a
            later request, to the end of the request's head.
    """

    class Impatient(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport):
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data):
            super().data_received(data)
            if self.cycle is None or self.cycle.response_complete:
                self._await_head()
            else:  # it is there; the application minds the body
                self._stop_waiting()

        def connection_lost(self, exc):
            self._stop_waiting()
            super().connection_lost(exc)

        def _await_head(self):
            if self._deadline is None:
                self._deadline = self.loop.call_later(
                    timeout, self.transport.close
                )

        def _stop_waiting(self):
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Impatient
