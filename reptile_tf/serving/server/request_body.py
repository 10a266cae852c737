"""Reading the bodies of requests, of which a client decides the length."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException
    from starlette.requests import Request

_SHORT_BODY = 2 << 20  # bytes; as many of these as there are connections
_LONG_BODIES = 4  # of the longest kind, together in memory


def is_long(body: bytearray) -> bool:
    """Returns whether a body is so long that few may be held at a time."""
    return len(body) > _SHORT_BODY


class BodyReader:
    """Reads bodies that are bounded in length, in time, and together.

    Args:
        max_bytes: longest body.
        timeout: seconds that a client may take to send a body.
    """

    def __init__(self, max_bytes: int, timeout: float):
        self._max_bytes, self._timeout = max_bytes, timeout
        self._in_memory: dict[int, int] = {}  # bytes of each long body by id

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytearray]:
        """Yields the body of a request, and counts it until the block ends.

        Raises:
            HTTPException: the body is too long (status 413), comes too slowly
                (408), or comes while too many long ones are held (503).
        """
        body = bytearray()
        try:
            await self._receive(request, body)
            yield body
        finally:
            self._in_memory.pop(id(body), None)

    async def _receive(self, request: Request, body: bytearray) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                async for chunk in request.stream():
                    body.extend(chunk)
                    self._require_room(body)
        except TimeoutError:
            message = "The request body came too slowly"
            raise HTTPException(408, message) from None

    def _require_room(self, body: bytearray) -> None:
        if len(body) > self._max_bytes:
            message = f"The request body is longer than {self._max_bytes} bytes"
            raise HTTPException(413, message)
        if is_long(body):
            self._in_memory[id(body)] = len(body)
            if sum(self._in_memory.values()) > _LONG_BODIES * self._max_bytes:
                message = "Too many long requests at a time; try again"
                raise HTTPException(503, message)
