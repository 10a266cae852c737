"""Requests over gRPC: from the bytes that come to those that go.

The library would read any number of messages before it asks whether they may be
so many. So it is given methods of streams, which read and write by themselves;
for a client that sends one message and awaits one they are no others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from reptile_tf.serving.server import failures, request_body
from reptile_tf.serving.server.grpc_door import Door
from reptile_tf.serving.server.grpc_messages import parsed
from reptile_tf.serving.server.served_models import ServedModels
from reptile_tf.utils.extras import extra

with extra("serve"):
    import grpc
    from starlette.exceptions import HTTPException

_BYTES_OF_A_NUMBER = 10  # of a whole number of 64 bits that is negative
_BYTES_BESIDE = 64 << 10
_PACKED = b"\x1f", b"\x78"  # as gzip and zlib begin, and no request

_Gone = grpc.aio.InternalError  # a client, when something is sent to it

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Calls:
    """Reads requests, and sends their answers.

    Args:
        door: by which clients came in.
        models: that are asked.
        max_bytes: longest message of any request.
        timeout: seconds that a client may take to send a message, and to read
            the answer.
    """

    def __init__(
        self, door: Door, models: ServedModels, max_bytes: int, timeout: float
    ):
        self._door, self._models = door, models
        self._max_bytes, self._timeout = max_bytes, timeout

    def handler(
        self, method: Callable[[Any], Awaitable[Any]], kind: Any
    ) -> grpc.RpcMethodHandler:
        """Returns what answers a method's requests.

        Args:
            method: returns the answer to a request.
            kind: the class of its requests.
        """

        async def handle(_: Any, context: grpc.aio.ServicerContext) -> None:
            try:
                failure = await self._failure(method, kind, context)
                if failure is not None:
                    code = _CODES[failure.code]
                    await context.abort(code, failure.message)
            except _Gone:  # and nobody is there to be told
                raise asyncio.CancelledError from None

        return grpc.stream_stream_rpc_method_handler(handle)

    async def _failure(
        self,
        method: Callable[[Any], Awaitable[Any]],
        kind: Any,
        context: grpc.aio.ServicerContext,
    ) -> failures.Failure | None:
        """Answers a request; returns what is to be told where that fails.

        The error itself ends here. What `abort` raises is kept by the library
        until garbage is looked for, and would keep the error with it, whose
        traceback has the message.
        """
        try:
            await self._answer(method, kind, context)
        except _Gone:
            raise
        except Exception as error:
            return failures.of(error)
        return None

    async def _answer(
        self,
        method: Callable[[Any], Awaitable[Any]],
        kind: Any,
        context: grpc.aio.ServicerContext,
    ) -> None:
        connection = self._door.connection(context.peer())
        with connection.request() as held:
            message = await self._receive(context)
            held.came(len(message))
            with connection.busy():
                most = self._longest()
                if message.startswith(_PACKED):
                    message = await request_body.inflate(message, most)
                    held.hold(len(message))
                if len(message) > most:
                    raise request_body.too_long(most)
                answer = await method(parsed(message, kind))
                sent = answer.SerializeToString()
            held.hold(len(sent))
            try:
                async with asyncio.timeout(self._timeout):
                    await context.write(sent)
            except TimeoutError as error:  # gRPC would keep the answer
                connection.transport.abort()
                raise _Gone from error

    async def _receive(self, context: grpc.aio.ServicerContext) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                message = await context.read()
        except TimeoutError:
            what = "The request came too slowly"
            raise HTTPException(408, what) from None
        if not isinstance(message, bytes):
            raise ValueError("The request must be one message; received none")
        return message

    def _longest(self) -> int:
        """Returns how many bytes a message can need."""
        numbers = self._models.most_numbers()
        if numbers is None:
            return self._max_bytes
        needed = _BYTES_BESIDE + _BYTES_OF_A_NUMBER * numbers
        return min(needed, self._max_bytes)
