"""What a client is told when its request cannot be answered.

As TF Serving does it: a status, and {"error": MESSAGE} as the body.
"""

import http
import json
from typing import Any

from reptile_tf.serving.server.saved_models import NotFound
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response

_LONGEST_MESSAGE = 1000  # characters; messages quote requests


def malformed(request: Request) -> str:
    """Returns the message about a request that is none of the API."""
    return f"Malformed request: {request.method} {request.url.path}"


async def answer_not_found(request: Request, error: Exception) -> Response:
    """Answers a request for a model that there is not."""
    return _answer(404, str(error))


async def answer_bad_request(request: Request, error: Exception) -> Response:
    """Answers a request whose body, or inputs, the model does not take."""
    return _answer(400, str(error))


async def answer_http_error(request: Request, error: HTTPException) -> Response:
    """Answers a request that the server itself refuses."""
    if error.detail == http.HTTPStatus(error.status_code).phrase:
        return _answer(400, malformed(request))  # no route, or method
    return _answer(error.status_code, error.detail)


async def answer_failure(request: Request, error: Exception) -> Response:
    """Answers a request on which the server failed."""
    return _answer(500, f"Internal error: {type(error).__name__}")


# Starlette takes the one of the error's own class, or of its nearest base.
HANDLERS: dict[type[Exception], Any] = {
    HTTPException: answer_http_error,
    NotFound: answer_not_found,
    ValueError: answer_bad_request,
    ClientDisconnect: answer_bad_request,  # which nobody reads
    Exception: answer_failure,
}


def _answer(status: int, message: str) -> Response:
    # Escaped: a message may quote what is no text, such as half a surrogate.
    content = json.dumps({"error": message[:_LONGEST_MESSAGE]})
    return Response(content, status, media_type="application/json")
