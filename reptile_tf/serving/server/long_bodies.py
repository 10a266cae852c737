"""Reading what long bodies say, in a process of its own.

A parser of JSON lets no other thread of its process run. While a long body is
parsed here, others are answered.
"""

import asyncio
import concurrent.futures
import contextlib
import heapq
import itertools
import multiprocessing
import os
import threading
from collections.abc import AsyncIterator, Mapping

import numpy as np

from reptile_tf.serving.server import json_codec
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException

_BODIES = 100  # that a process reads before another takes its place
_NICE = 10  # what computes goes first


class _Turns:
    """Lets one in at a time, and then the smallest of those that wait."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[int, int, asyncio.Future]] = []
        self._numbers = itertools.count()

    @contextlib.asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Waits for a turn, which ends with the block."""
        if self._taken:
            waiting = asyncio.get_running_loop().create_future()
            entry = size, next(self._numbers), waiting
            heapq.heappush(self._waiting, entry)
            try:
                await waiting
            except asyncio.CancelledError:
                if waiting.done() and not waiting.cancelled():
                    self._pass_on()  # it had come
                raise
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            *_, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
                return
        self._taken = False


def _begin() -> None:
    """Is run in the process when it starts."""
    os.nice(_NICE)
    threading.Thread(target=_end_with_server, daemon=True).start()


def _end_with_server() -> None:
    """Ends the process when the server has ended, however that was."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(0)


class LongBodies:
    """Reads one long body after another, the shortest of them first."""

    def __init__(self) -> None:
        self._turns = _Turns()
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    async def read(
        self,
        body: bytes | bytearray,
        signatures: Mapping[str, Mapping[str, np.dtype]],
    ) -> json_codec.Request:
        """Returns what `json_codec.read` does.

        Raises:
            HTTPException: it could not be read (status 503).
        """
        async with self._turns.turn(len(body)):
            try:
                return await self._read(bytes(body), signatures)
            except concurrent.futures.BrokenExecutor as error:
                self._pool = None
                message = "The request could not be read; try again"
                raise HTTPException(503, message) from error

    async def _read(
        self, body: bytes, signatures: Mapping[str, Mapping[str, np.dtype]]
    ) -> json_codec.Request:
        if self._pool is None:
            self._pool = concurrent.futures.ProcessPoolExecutor(
                1,
                multiprocessing.get_context("spawn"),
                _begin,
                max_tasks_per_child=_BODIES,
            )
        running = asyncio.get_running_loop().run_in_executor(
            self._pool, json_codec.read, body, signatures
        )
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await running  # which keeps the process busy
            raise

    def close(self) -> None:
        """Ends the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
