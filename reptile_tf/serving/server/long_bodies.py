"""Reading what long bodies say, in a process of its own.

A parser of JSON lets no other thread of its process run. While a long body is
parsed here, others are answered.
"""

import asyncio
import concurrent.futures
import gc
import heapq
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping

import numpy as np

from reptile_tf.serving.server import json_codec
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException

_NICE = 10  # what computes goes first


class _Turns:
    """Lets one in at a time, and then the smallest of those that wait."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[tuple[int, int, asyncio.Future]] = []
        self._numbers = itertools.count()

    async def take(self, size: int) -> None:
        """Waits for a turn, which ends with `pass_on`."""
        if not self._taken:
            self._taken = True
            return
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (size, next(self._numbers), waiting))
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self.pass_on()  # it had come
            raise

    def pass_on(self) -> None:
        """Ends a turn."""
        while self._waiting:
            *_, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
                return
        self._taken = False


def _begin() -> None:
    """Is run in the process when it starts."""
    os.nice(_NICE)
    # JSON has no cycles; to look for them takes most of the time to read it.
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
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
        await self._turns.take(len(body))
        try:
            running = self._begin(bytes(body), signatures)
        except BaseException:
            self._turns.pass_on()
            raise
        # The process is busy until then, whoever waits for it.
        running.add_done_callback(self._ended)
        try:
            return await asyncio.shield(running)
        except concurrent.futures.BrokenExecutor as error:
            raise _again() from error

    def _begin(
        self, body: bytes, signatures: Mapping[str, Mapping[str, np.dtype]]
    ) -> asyncio.Future[json_codec.Request]:
        if self._pool is None:
            self._pool = concurrent.futures.ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), _begin
            )
        try:
            return asyncio.get_running_loop().run_in_executor(
                self._pool, json_codec.read, body, signatures
            )
        except concurrent.futures.BrokenExecutor as error:
            self._pool = None
            raise _again() from error

    def _ended(self, running: asyncio.Future) -> None:
        if isinstance(running.exception(), concurrent.futures.BrokenExecutor):
            self._pool = None
        self._turns.pass_on()

    def close(self) -> None:
        """Ends the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _again() -> HTTPException:
    return HTTPException(503, "The request could not be read; try again")
