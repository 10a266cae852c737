"""What the page needs of its own server, besides the model.

    GET  /            the page: its HTML, its style and its modules
    GET  /model.json  where the model is asked, and which pictures it takes
    POST /picture     the pixels that a picture file becomes

A picture file is prepared here, and not by the browser, so that it is prepared
as `reptile-tf classify` does it.
"""

import asyncio
import io
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reptile_tf.data.picture import decode
from reptile_tf.serving.picture_model import SIGNATURE, PictureModel
from reptile_tf.serving.server import error_answers
from reptile_tf.serving.server.request_body import BodyReader
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.applications import Starlette
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import BaseRoute, Mount, Route
    from starlette.staticfiles import StaticFiles

_STATIC = pathlib.Path(__file__).parent / "static"
_MOST_BYTES = 32 << 20  # of a picture file
_PATIENCE = 30.0  # seconds to send one
_UNKEPT = {"Cache-Control": "no-cache"}


def application(
    name: str,
    predict: str,
    about: Callable[[], PictureModel],
    more: Sequence[BaseRoute] = (),
    api: Any = None,
    server: str | None = None,
) -> Any:
    """Returns the ASGI application.

    Args:
        name: of the model, to be shown.
        predict: the path at which the page asks the model.
        about: returns what the model says of itself now.
        more: other routes.
        api: an ASGI application that has everything below /v1/.
        server: the URL of the server elsewhere that is asked, if one is.
    """

    async def model(request: Request) -> Response:
        now = about()
        known = {
            "name": name,
            "server": server,
            "predict": predict,
            "signature": SIGNATURE,
            "ways": now.ways,
            "max_steps": now.max_steps,
            "max_examples": now.max_examples,
            "pictures": now.preparation.as_dict(),
        }
        return JSONResponse(known, headers=_UNKEPT)

    page = Starlette(
        routes=[
            Route("/model.json", model),
            Route("/picture", _picture(about), methods=["POST"]),
            *more,
            Mount("/", _Static(directory=_STATIC, html=True)),
        ],
        exception_handlers=error_answers.HANDLERS,
    )

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST" and _foreign(dict(scope["headers"])):
            # The page of another site may only lead here.
            refusal = JSONResponse({"error": "This page alone may ask."}, 403)
            await refusal(scope, receive, send)
            return
        asked = api is not None and scope["path"].startswith("/v1/")
        await (api if asked else page)(scope, receive, send)

    # A page of another site could have its own name lead to this machine, and
    # a browser would take the two for one site.
    return TrustedHostMiddleware(both, allowed_hosts=["127.0.0.1", "localhost"])


class _Static(StaticFiles):
    """Files that a browser asks for anew: those of a later version differ."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Answers with a file, or says that the browser's own is the same."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(_UNKEPT)
        return response


def _foreign(headers: Mapping[bytes, bytes]) -> bool:
    """Returns whether a browser says that the page of another site asks."""
    site = headers.get(b"sec-fetch-site", b"none")
    origin = headers.get(b"origin")
    elsewhere = origin is not None and origin.partition(b"://")[
        2
    ] != headers.get(b"host")
    return elsewhere or site not in (b"same-origin", b"none")


def _picture(about: Callable[[], PictureModel]) -> Any:
    """Returns what answers with the pixels of the file in a request's body."""
    bodies = BodyReader(_MOST_BYTES, _PATIENCE)
    # A large one takes much memory; and `decode` is for one thread at a time.
    one_at_a_time = asyncio.Semaphore(1)

    async def picture(request: Request) -> Response:
        async with bodies.read(request, _MOST_BYTES) as body, one_at_a_time:
            pixels = await asyncio.to_thread(
                decode, io.BytesIO(body), about().preparation
            )
        return JSONResponse({"pixels": pixels.ravel().tolist()})

    return picture
