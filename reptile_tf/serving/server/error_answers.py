"""What a client of the REST API is told when it cannot be answered.

As TF Serving does it: a status, and {"error": MESSAGE} as the body.
"""

import http
import json
from typing import Any

import tensorflow as tf

from reptile_tf.serving.server import failures
from reptile_tf.serving.server.model_versions import NotFound
from reptile_tf.serving.server.requests import TooManyError
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response


def malformed(request: Request) -> str:
    """Returns the message about a request that is none of the API."""
    return f"Malformed request: {request.method} {request.url.path}"


async def answer(request: Request, error: Exception) -> Response:
    """Answers a request that led to an error."""
    failure = failures.of(error)
    return _answer(failure.status, failure.message)


async def answer_http_error(request: Request, error: HTTPException) -> Response:
    """Answers a request that the server itself refuses."""
    if error.detail == http.HTTPStatus(error.status_code).phrase:
        return _answer(400, malformed(request))  # no route, or method
    return await answer(request, error)


# Starlette takes the one of the error's own class, or of its nearest base.
HANDLERS: dict[type[Exception], Any] = {
    HTTPException: answer_http_error,
    NotFound: answer,
    TooManyError: answer,
    TimeoutError: answer,
    ValueError: answer,
    ClientDisconnect: answer,  # which nobody reads
    tf.errors.OpError: answer,
    MemoryError: answer,
    Exception: answer,
}


def _answer(status: int, message: str) -> Response:
    # Escaped: a message may quote what is no text, such as half a surrogate.
    content = json.dumps({"error": message})
    return Response(content, status, media_type="application/json")
