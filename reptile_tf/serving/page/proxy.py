"""Asks a server elsewhere for the page.

A browser gives a page the answers of the page's own server alone, unless the
other one says that it may (TF Serving's `--rest_api_enable_cors_support`). So
the page asks its own server, which asks the other.
"""

import asyncio
from typing import Any

from reptile_tf.serving.remote_model import RemoteModel
from reptile_tf.serving.server.request_body import BodyReader
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response

_MOST_BYTES = 64 << 20  # of a request
_PATIENCE = 30.0  # seconds to send one


def predict(model: RemoteModel) -> Any:
    """Returns what answers a request as a model elsewhere answers it.

    Args:
        model: the model.
    """
    bodies = BodyReader(_MOST_BYTES, _PATIENCE)

    async def answer(request: Request) -> Response:
        async with bodies.read(request, _MOST_BYTES) as body:
            try:
                status, content = await asyncio.to_thread(
                    model.answer, bytes(body)
                )
            except ValueError as error:
                raise HTTPException(502, str(error)) from error
        return Response(content, status, media_type="application/json")

    return answer
