"""Computing requests: when, for how long at most, and for whom."""

import asyncio
import concurrent.futures
import time
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from reptile_tf.serving.server.cancellable import Cancellation
from reptile_tf.serving.server.saved_models import SavedModel
from reptile_tf.utils import machine

_LONG = 1.0  # seconds from which on a request is a long one
_GIVES_WAY = 2.0  # seconds that a long one waits for short ones at most

T = TypeVar("T")


class Computing:
    """Computes requests in two lanes, so that short ones need not wait long.

    As many short ones as there are cores are computed at a time, and half as
    many long ones beside them; others wait for one of their own kind to end.
    A long one begins when a core is free, or two seconds later.
    """

    def __init__(self) -> None:
        cores = machine.cores()
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
        lane = self._long if is_long else self._short
        await lane.acquire()
        try:
            if is_long:
                await self._give_way()
        except asyncio.CancelledError:
            lane.release()
            raise
        cancellation, start = Cancellation(), time.monotonic()

        def end(running: asyncio.Future) -> None:
            lane.release()
            error, seconds = running.exception(), time.monotonic() - start
            cancelled = isinstance(error, tf.errors.CancelledError)
            if error is None or cancelled:
                model.pace.note(signature, inputs, seconds, not cancelled)

        running = asyncio.get_running_loop().run_in_executor(
            self._threads, model.predict, signature, inputs, cancellation
        )
        running.add_done_callback(end)
        try:
            # Another request takes its turn when it has really ended, which
            # may be later than its client is told so.
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            cancellation.cancel()
            raise

    async def _give_way(self) -> None:
        """Waits until a core is free, but not for long."""
        end = time.monotonic() + _GIVES_WAY
        while self._short.locked() and time.monotonic() < end:
            await asyncio.sleep(0.05)


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
