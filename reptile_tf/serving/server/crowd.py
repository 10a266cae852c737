"""How many connections are open, what they hold, and which makes room."""

from typing import Any

from reptile_tf.serving.server.throttle import LONG


class Crowd:
    """The connections that are open; the longest idle makes room.

    A connection is idle until a request is there as a whole, and again when
    that is answered. Those that have not asked anything yet make room first,
    while they are more than half of what there may be: so neither a crowd that
    asks nothing closes the connections of clients who pause between requests,
    nor a crowd that has asked once those of clients who come now.

    Args:
        most: connections that may be open at a time.
        most_bytes: that may be held in memory for them together.
    """

    def __init__(self, most: int, most_bytes: int):
        self._most, self._most_bytes = most, most_bytes
        self._open: set[Any] = set()
        self._idle: dict[Any, None] = {}  # the longest idle first
        self._asked: set[Any] = set()  # a whole request at least
        self._held: dict[Any, int] = {}  # bytes, where they are many

    def join(self, connection: Any) -> None:
        """Takes a connection in; where none is idle, it is closed at once."""
        self._open.add(connection)
        self.idle(connection)
        if len(self._open) > self._most:
            self._close(self._longest_idle())

    def busy(self, connection: Any) -> None:
        """Takes note that a request is there."""
        self._idle.pop(connection, None)
        if connection in self._open:
            self._asked.add(connection)

    def idle(self, connection: Any) -> None:
        """Takes note that a request is answered."""
        if connection in self._open:
            self._idle[connection] = None

    def hold(self, connection: Any, size: int) -> None:
        """Takes note of how many bytes are held for a connection.

        Where they are too many together, the longest idle of those that hold
        many is closed; if none is, this one.
        """
        self._held.pop(connection, None)
        if connection in self._open and size > LONG:
            self._held[connection] = size
        while sum(self._held.values()) > self._most_bytes:
            idle = (one for one in self._idle if one in self._held)
            self._close(next(idle, connection))

    def leave(self, connection: Any) -> None:
        """Takes note that a connection is closed."""
        self._open.discard(connection)
        self._idle.pop(connection, None)
        self._asked.discard(connection)
        self._held.pop(connection, None)

    def _longest_idle(self) -> Any:
        new = [one for one in self._idle if one not in self._asked]
        asked = (one for one in self._idle if one in self._asked)
        return new[0] if len(new) > self._most / 2 else next(asked, new[0])

    def _close(self, connection: Any) -> None:
        self.leave(connection)
        connection.transport.abort()
