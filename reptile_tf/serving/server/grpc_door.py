"""The door to gRPC: how many connections there are, and what they hold.

The library's own server takes as many connections and bytes as come, and has
nothing that closes one to make room for another. So it listens at a Unix
socket, and clients come in by a door before it, which passes on what they send.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import tempfile
import urllib.parse
from collections.abc import Iterator

from reptile_tf.serving.server.crowd import Crowd
from reptile_tf.serving.server.throttle import LONG, Throttle

_PIECE = 1 << 16  # bytes that are passed on at a time
_LAST = 5.0  # seconds to read the last answers
# Of a folder: the name of a socket has 107 bytes at most.
_LONGEST = 60


class Request:
    """A request of a connection: which of its bytes are this one's.

    Args:
        connection: on which it came.
    """

    def __init__(self, connection: "Connection"):
        self._connection, self.size = connection, 0

    def came(self, size: int) -> None:
        """Takes note of its message, which the door has seen."""
        self.size += size

    def hold(self, size: int) -> None:
        """Takes note of what else is in memory for it."""
        self.size += size
        self._connection.hold(size)


class Connection:
    """A client's connection.

    Args:
        transport: to the client.
        crowd: all connections.

    Attributes:
        begun: whether the client has sent anything.
        size: bytes that are in memory for its requests.
    """

    def __init__(self, transport: asyncio.WriteTransport, crowd: Crowd):
        self.transport, self._crowd = transport, crowd
        self.begun = False
        self.size = self._requests = self._whole = 0
        crowd.join(self)

    def hold(self, size: int) -> None:
        """Takes note of bytes in memory; if too many are, some are closed."""
        self.size += size
        self._crowd.hold(self, self.size)

    @contextlib.contextmanager
    def request(self) -> Iterator[Request]:
        """Yields a request that has begun, and ends with the block."""
        request = Request(self)
        self._requests += 1
        try:
            yield request
        finally:
            self._requests -= 1
            # What is not of messages, such as heads, goes with the last.
            size = request.size if self._requests else self.size
            self.hold(-min(size, self.size))

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Says that a request is there as a whole, until the block ends."""
        self._whole += 1
        self._crowd.busy(self)
        try:
            yield
        finally:
            self._whole -= 1
            if not self._whole:
                self._crowd.idle(self)


class Door:
    """Lets clients in to a server that listens at `address`.

    Args:
        timeout: seconds that a client may take to begin, and leave unread what
            is sent to it.
        crowd: all connections.

    Attributes:
        address: as gRPC writes that of a Unix socket.
    """

    def __init__(self, timeout: float, crowd: Crowd):
        self._timeout, self._crowd = timeout, crowd
        self._throttle = Throttle()
        # Its names tell the server which connection is which.
        place = tempfile.gettempdir()
        if len(place) > _LONGEST or urllib.parse.quote(place) != place:
            place = "/tmp"  # gRPC could not name it
        self._folder = tempfile.TemporaryDirectory(prefix="reptile", dir=place)
        self.address = f"unix:{self._folder.name}/grpc"
        self._names = map(str, itertools.count())
        self._connections: dict[str, Connection] = {}
        self._tasks: set[asyncio.Task] = set()

    async def open(self, place: socket.socket) -> None:
        """Begins to let clients in, who come to a socket."""
        self._server = await asyncio.start_server(self._enter, sock=place)

    def shut(self) -> None:
        """Lets nobody in any more."""
        self._server.close()

    async def close(self) -> None:
        """Closes all connections, when the clients have their last answers."""
        for connection in self._connections.values():
            if not connection.begun:
                connection.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=min(self._timeout, _LAST))
        for connection in self._connections.values():
            connection.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.cleanup()

    def connection(self, peer: str) -> Connection:
        """Returns a connection by the name that gRPC has for it.

        Raises:
            ConnectionError: it has been closed.
        """
        name = peer.rpartition("/")[2]
        if name not in self._connections:
            raise ConnectionError("The connection has been closed")
        return self._connections[name]

    async def _enter(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        name = next(self._names)
        connection = Connection(writer.transport, self._crowd)
        self._connections[name] = connection
        try:
            async with asyncio.timeout(self._timeout):
                first = await reader.read(_PIECE)
            if first:
                connection.begun = True
                await self._serve(name, connection, first, reader, writer)
        except OSError:  # a time that is over is one, too
            pass
        finally:
            writer.transport.abort()
            self._crowd.leave(connection)
            del self._connections[name]
            self._tasks.discard(task)

    async def _serve(
        self,
        name: str,
        connection: Connection,
        first: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Passes on what a client and the server send, until the server ends.

        Raises:
            OSError: the client has gone, or does not read.
        """
        with await self._connect(name) as inside:
            asked = asyncio.ensure_future(
                self._ask(first, reader, inside, connection)
            )
            answered = asyncio.ensure_future(self._answer(inside, writer))
            both = asked, answered
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if asked.done():
                    asked.result()
                await answered
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        # To close what has more to be read would take back what was sent.
        writer.write_eof()
        async with asyncio.timeout(self._timeout):
            while await reader.read(_PIECE):
                pass

    async def _connect(self, name: str) -> socket.socket:
        """Returns a connection to the server, which is told its name."""
        inside = socket.socket(socket.AF_UNIX)
        try:
            inside.setblocking(False)
            own = os.path.join(self._folder.name, name)
            inside.bind(own)
            os.unlink(own)  # the server is told the name nonetheless
            await asyncio.get_running_loop().sock_connect(
                inside, self.address.partition(":")[2]
            )
            return inside
        except BaseException:
            inside.close()
            raise

    async def _ask(
        self,
        first: bytes,
        reader: asyncio.StreamReader,
        inside: socket.socket,
        connection: Connection,
    ) -> None:
        """Passes on what a client sends, until the server has ended.

        Raises:
            OSError: the client has gone, or the server takes nothing.
        """
        loop, data = asyncio.get_running_loop(), first
        while data:
            connection.hold(len(data))
            try:
                async with asyncio.timeout(self._timeout):
                    await loop.sock_sendall(inside, data)
            except (BrokenPipeError, ConnectionResetError):
                return  # the server's last answers may still be on their way
            if connection.size > LONG:
                await self._throttle.passed(len(data))
            data = await reader.read(_PIECE)
        raise ConnectionError("The client has gone")

    async def _answer(
        self, inside: socket.socket, writer: asyncio.StreamWriter
    ) -> None:
        """Passes on what the server sends, until it ends.

        Raises:
            OSError: the client has gone, or does not read.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.sock_recv(inside, _PIECE)
            except ConnectionResetError:  # it has ended without reading all
                return
            if not data:
                return
            writer.write(data)
            async with asyncio.timeout(self._timeout):
                await writer.drain()
