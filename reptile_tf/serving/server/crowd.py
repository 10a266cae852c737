"""How many connections are open, and which one makes room."""

from typing import Any


class Crowd:
    """The connections that are open; the longest idle makes room.

    A connection is idle until a request is there as a whole, and again when
    that is answered.

    Args:
        most: connections that may be open at a time.
    """

    def __init__(self, most: int):
        self._most = most
        self._open: set[Any] = set()
        self._idle: dict[Any, None] = {}  # the longest idle first

    def join(self, connection: Any) -> None:
        """Takes a connection in; where none is idle, it is closed at once."""
        self._open.add(connection)
        self.idle(connection)
        if len(self._open) > self._most:
            longest = next(iter(self._idle))
            self.leave(longest)
            longest.transport.abort()

    def busy(self, connection: Any) -> None:
        """Takes note that a request is there."""
        self._idle.pop(connection, None)

    def idle(self, connection: Any) -> None:
        """Takes note that a request is answered."""
        if connection in self._open:
            self._idle[connection] = None

    def leave(self, connection: Any) -> None:
        """Takes note that a connection is closed."""
        self._open.discard(connection)
        self._idle.pop(connection, None)
