"""Computing requests: when, for how long at most, and for whom."""

import asyncio
import concurrent.futures
import contextlib
import os
import time
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import numpy as np

from reptile_tf.serving.server.cancellable import Cancellation
from reptile_tf.serving.server.saved_models import SavedModel

_LONG = 1.0  # seconds from which on a request is a long one

T = TypeVar("T")


class Computing:
    """Computes requests in two lanes, so that short ones need not wait long.

    As many short ones as there are cores are computed at a time, and half as
    many long ones beside them; others wait for one of their own kind to end.
    """

    def __init__(self) -> None:
        cores = os.cpu_count() or 1
        self._short = asyncio.Semaphore(cores)
        self._long = asyncio.Semaphore(max(1, cores // 2))
        self._threads = concurrent.futures.ThreadPoolExecutor(
            cores + max(1, cores // 2), "computing"
        )

    async def predict(
        self, model: SavedModel, signature: str, inputs: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """Returns what `model.predict` does; ends it when it is cancelled.

        Args:
            model: that is asked.
            signature: that is asked.
            inputs: name -> array.
        """
        is_long = model.pace.expect(signature, inputs) > _LONG
        async with self._long if is_long else self._short:
            cancellation, start = Cancellation(), time.monotonic()
            running = asyncio.get_running_loop().run_in_executor(
                self._threads, model.predict, signature, inputs, cancellation
            )
            try:
                outputs = await asyncio.shield(running)
            except asyncio.CancelledError:
                cancellation.cancel()
                await _end(running)  # whose core is not free before
                seconds = time.monotonic() - start
                model.pace.note(signature, inputs, seconds, ended=False)
                raise
            model.pace.note(signature, inputs, time.monotonic() - start)
            return outputs


async def _end(running: asyncio.Future) -> None:
    """Waits until a future is done, whatever it is done with."""
    while not running.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([running])
    running.exception()


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Returns what is awaited, within the time that it may take.

    Args:
        seconds: that it may take.
        work: is cancelled when they are over.

    Raises:
        TimeoutError: it took longer; says how long it might.
    """
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        raise TimeoutError(
            f"The request took longer than the {seconds:g} seconds that it may"
        ) from error


async def unless(gone: Awaitable[Any], work: Awaitable[T]) -> T | None:
    """Returns what is awaited; None if its client goes before it is there.

    Args:
        gone: ends when the client has gone.
        work: is cancelled then.
    """
    tasks = [asyncio.ensure_future(gone), asyncio.ensure_future(work)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[1].result() if tasks[1].done() else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
