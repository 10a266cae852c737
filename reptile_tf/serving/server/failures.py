"""What a client is told of an error, whichever way it asked."""

import asyncio
from typing import NamedTuple

import tensorflow as tf
from tensorflow.core.protobuf import error_codes_pb2 as codes

from reptile_tf.serving.server import refusals
from reptile_tf.serving.server.model_versions import NotFound
from reptile_tf.serving.server.requests import TooManyError
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

_LONGEST_MESSAGE = 1000  # characters; messages quote requests

# As TF Serving's REST API tells TensorFlow's errors; others are 500.
_STATUSES = {
    codes.INVALID_ARGUMENT: 400,
    codes.NOT_FOUND: 404,
    codes.CANCELLED: 499,
    codes.UNIMPLEMENTED: 501,
    codes.RESOURCE_EXHAUSTED: 503,
    codes.UNAVAILABLE: 503,
    codes.DEADLINE_EXCEEDED: 504,
}
_CODES = {
    404: codes.NOT_FOUND,
    408: codes.DEADLINE_EXCEEDED,
    413: codes.RESOURCE_EXHAUSTED,
    503: codes.UNAVAILABLE,
}


class Failure(NamedTuple):
    """What a client is told.

    Attributes:
        code: TensorFlow's, which gRPC has, too.
        status: of HTTP.
        message: one that is never long.
    """

    code: int
    status: int
    message: str

    @property
    def name(self) -> str:
        """The code's name, such as NOT_FOUND."""
        return codes.Code.Name(self.code)


def of(error: BaseException) -> Failure:
    """Returns what a client is told of an error."""
    message = str(error)
    match error:
        case HTTPException():
            code = _CODES.get(error.status_code, codes.INVALID_ARGUMENT)
            return Failure(code, error.status_code, _short(error.detail))
        case NotFound():
            code = codes.NOT_FOUND
        case TimeoutError():
            code = codes.DEADLINE_EXCEEDED
        case ValueError():
            code = codes.INVALID_ARGUMENT
        case ClientDisconnect() | asyncio.CancelledError():
            code = codes.CANCELLED
        case tf.errors.OpError():
            code, message = error.error_code, refusals.reason(error.message)
        case TooManyError():
            code = codes.RESOURCE_EXHAUSTED
        case MemoryError():
            code = codes.RESOURCE_EXHAUSTED
            message = "There is not enough memory for the request"
        case _:
            code = codes.INTERNAL
            message = f"Internal error: {type(error).__name__}"
    return Failure(code, _STATUSES.get(code, 500), _short(message))


def _short(message: str) -> str:
    return message[:_LONGEST_MESSAGE]
