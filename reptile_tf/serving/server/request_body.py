"""Reading the bodies of requests, of which a client decides the length."""

import asyncio
import concurrent.futures
import contextlib
import zlib
from collections.abc import AsyncIterator

from reptile_tf.serving.server.throttle import LONG, Throttle
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException
    from starlette.requests import Request

LONG_BODIES = 4  # of the longest kind, together in memory

# One at a time: other cores have other work.
_inflating = concurrent.futures.ThreadPoolExecutor(1, "inflating")


def is_long(body: bytes | bytearray) -> bool:
    """Returns whether a body is so long that few may be held at a time."""
    return len(body) > LONG


class BodyReader:
    """Reads bodies that are bounded in length, in time, and together.

    Args:
        max_bytes: longest body of any request.
        timeout: seconds that a client may take to send a body.
    """

    def __init__(self, max_bytes: int, timeout: float):
        self._max_bytes, self._timeout = max_bytes, timeout
        self._in_memory: dict[int, int] = {}  # bytes of each long body by id
        self._throttle = Throttle()

    @contextlib.asynccontextmanager
    async def read(
        self, request: Request, most: int
    ) -> AsyncIterator[bytes | bytearray]:
        """Yields the body of a request, and counts it until the block ends.

        A body that was sent with gzip is inflated.

        Args:
            request: the request.
            most: bytes that its body may have, also inflated.

        Raises:
            HTTPException: the body is too long (status 413), comes too slowly
                (408), comes while too many long ones are held (503), or is
                encoded in a way that cannot be read (400).
        """
        most = min(most, self._max_bytes)
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told[:20]) > most:
            raise too_long(most)
        received = bytearray()
        try:
            await self._receive(request, received, most)
            body: bytes | bytearray = received
            coding = request.headers.get("content-encoding", "identity")
            if coding.strip().lower() != "identity":
                _require_gzip(coding)
                body = await inflate(received, most)
                self._require_room(received, len(body))
            yield body
        finally:
            self._in_memory.pop(id(received), None)

    async def _receive(
        self, request: Request, body: bytearray, most: int
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                async for chunk in request.stream():
                    body.extend(chunk)
                    if len(body) > most:
                        raise too_long(most)
                    self._require_room(body, len(body))
                    if is_long(body):
                        await self._throttle.passed(len(chunk))
        except TimeoutError:
            message = "The request body came too slowly"
            raise HTTPException(408, message) from None

    def _require_room(self, owner: bytearray, size: int) -> None:
        if size > LONG:
            self._in_memory[id(owner)] = size
            if sum(self._in_memory.values()) > LONG_BODIES * self._max_bytes:
                message = "Too many long requests at a time; try again"
                raise HTTPException(503, message)


async def gone(request: Request) -> None:
    """Ends when the client of a request, which is received, has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _require_gzip(coding: str) -> None:
    if coding.strip().lower() not in ("gzip", "x-gzip"):
        raise HTTPException(
            400, f"Content-Encoding must be gzip; received {coding[:40]!r}"
        )


def too_long(most: int) -> HTTPException:
    """Returns what a body is refused with that is longer than it may be."""
    return HTTPException(413, f"The request body is longer than {most} bytes")


async def inflate(body: bytes | bytearray, most: int) -> bytes:
    """Returns what `inflated` does, which others need not wait for."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_inflating, inflated, body, most)


def inflated(body: bytes | bytearray, most: int) -> bytes:
    """Returns what gzip or zlib made a body of.

    Args:
        body: that begins as one of the two does.
        most: bytes that it may become.

    Raises:
        HTTPException: it becomes more (status 413), or is not whole (400).
    """
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either's header
    try:
        content = inflater.decompress(body, most + 1)
    except zlib.error as error:
        raise HTTPException(400, f"The body is no gzip: {error}") from error
    if len(content) > most:
        raise too_long(most)
    if not inflater.eof or inflater.unused_data:
        what = "goes on behind its end" if inflater.eof else "ends too early"
        raise HTTPException(400, f"The body is no gzip: it {what}")
    return content
