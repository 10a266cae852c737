"""Asks a server elsewhere for the page.

A browser gives a page the answers of the page's own server alone, unless the
other one says that it may (TF Serving's `--rest_api_enable_cors_support`). So
the page asks its own server, which asks the other.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from reptile_tf.serving.remote_model import RemoteModel
from reptile_tf.serving.server.computing import unless
from reptile_tf.serving.server.request_body import BodyReader, gone
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response

_MOST_BYTES = 64 << 20  # of a request
_PATIENCE = 30.0  # seconds to send one
_AT_ONCE = 4  # that the server elsewhere is asked

T = TypeVar("T")


def predict(model: RemoteModel) -> Any:
    """Returns what answers a request as a model elsewhere answers it.

    Args:
        model: the model.
    """
    bodies = BodyReader(_MOST_BYTES, _PATIENCE)
    threads = _Threads(_AT_ONCE)

    async def answer(request: Request) -> Response:
        async with bodies.read(request, _MOST_BYTES) as body:
            asked = bytes(body)
            try:
                answered = await unless(
                    gone(request), threads.call(lambda: model.answer(asked))
                )
            except ValueError as error:
                raise HTTPException(502, str(error)) from error
            except asyncio.CancelledError as error:
                raise HTTPException(503, "The page's server ends") from error
        if answered is None:
            raise ClientDisconnect
        status, content = answered
        return Response(content, status, media_type="application/json")

    return answer


class _Threads:
    """A few threads, whose end neither a client nor the process waits for.

    A server that hangs keeps them as long as it is waited for.

    Args:
        most: threads at a time.
    """

    def __init__(self, most: int):
        self._free = asyncio.Semaphore(most)

    async def call(self, function: Callable[[], T]) -> T:
        """Returns what a function does, once a thread is free for it."""
        await self._free.acquire()
        running = asyncio.wrap_future(_begun(function))
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    def _ended(self, running: asyncio.Future) -> None:
        self._free.release()
        running.exception()  # is seen, also if nobody waits any more


def _begun(function: Callable[[], T]) -> concurrent.futures.Future[T]:
    """Begins to call a function in a thread of its own."""
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    # The process's end waits for the threads of an executor.
    threading.Thread(target=run, daemon=True).start()
    return outcome
