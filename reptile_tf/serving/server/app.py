"""TF Serving's REST API, for machines without TF Serving.

    GET  /v1/models/NAME[/versions/V]            which versions there are
    GET  /v1/models/NAME[/versions/V]/metadata   signatures
    POST /v1/models/NAME[/versions/V]:predict    answers

A client written against it works unchanged against TF Serving. There are no
/labels.
"""

import logging
import math
import os
import re
import socket
from collections.abc import Callable
from typing import Any

from reptile_tf.serving.server import (
    error_answers,
    json_codec,
    listening,
    timeouts,
)
from reptile_tf.serving.server.request_body import BodyReader, is_long
from reptile_tf.serving.server.saved_models import ModelFolder
from reptile_tf.utils.extras import extra

with extra("serve"):
    import anyio
    import anyio.to_thread
    import uvicorn
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

_CONNECTIONS = 256


def config(
    models: ModelFolder,
    *,
    max_body_bytes: int = 32 << 20,
    client_timeout: float = 30.0,
    **settings: Any,
) -> uvicorn.Config:
    """Returns the server, ready for `uvicorn.Server`.

    Args:
        models: what it serves.
        max_body_bytes: longest request body; a longer one gets status 413. One
            of more than two megabytes that comes when four of the longest are
            under way gets 503.
        client_timeout: seconds that a client may take to send the head of a
            request, and to read the answer, after which its connection is
            closed, and to send the body, after which it gets status 408.
        **settings: of `uvicorn.Config`, such as host and port.
    """
    return uvicorn.Config(
        _app(models, BodyReader(max_body_bytes, client_timeout)),
        http=timeouts.protocol(client_timeout),
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=math.ceil(client_timeout),
        **settings,
    )


def run(
    models: ModelFolder,
    place: socket.socket,
    announce: Callable[[str], None],
    **settings: Any,
) -> None:
    """Serves models until the process is told to stop.

    Args:
        models: what it serves.
        place: where it listens, of `listening.bind`.
        announce: is called with the server's URL once it answers.
        **settings: as of `config`.
    """

    class Announced(uvicorn.Server):
        async def startup(
            self, sockets: list[socket.socket] | None = None
        ) -> None:
            await super().startup(sockets)
            url = listening.url(place)
            logging.getLogger("uvicorn.error").info("running on %s", url)
            announce(url)

    Announced(config(models, **settings)).run([place])


def _app(models: ModelFolder, bodies: BodyReader) -> Starlette:
    endpoints = _Endpoints(models, bodies)
    routes = []
    for prefix in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        routes += [
            Route(f"{prefix}:predict", endpoints.predict, methods=["POST"]),
            Route(f"{prefix}/metadata", endpoints.metadata, methods=["GET"]),
            Route(prefix, endpoints.status, methods=["GET"]),
        ]
    app = Starlette(routes=routes, exception_handlers=error_answers.HANDLERS)
    app.router.redirect_slashes = False
    return app


class _Endpoints:
    """What answers requests: a method for each kind.

    Args:
        models: what is served.
        bodies: what reads the bodies of requests.
    """

    def __init__(self, models: ModelFolder, bodies: BodyReader):
        self._models, self._bodies = models, bodies
        # As many requests are computed at a time as there are cores; others
        # wait.
        self._at_once = anyio.CapacityLimiter(os.cpu_count() or 1)
        # A parsed body takes many times its length.
        self._one_long = anyio.CapacityLimiter(1)

    async def status(self, request: Request) -> Response:
        """Tells which versions of a model there are."""
        name, version = _target(request)
        versions = self._models.versions(name)
        which = "any versions"
        if version is not None:
            versions = [v for v in versions if v == version]
            which = f"version {version}"
        if not versions:
            raise HTTPException(404, f"Could not find {which} of model {name}")
        states = []
        for v in versions:
            failure = self._models.failure(name, v)
            code = "UNKNOWN" if failure else "OK"
            states.append(
                {
                    "version": str(v),
                    "state": "END" if failure else "AVAILABLE",
                    "status": {"error_code": code, "error_message": failure},
                }
            )
        return JSONResponse({"model_version_status": states})

    async def metadata(self, request: Request) -> Response:
        """Tells the signatures of a model."""
        name, version = _target(request)
        model = await anyio.to_thread.run_sync(self._models.get, name, version)
        spec = {
            "name": name,
            "signature_name": "",
            "version": str(model.version),
        }
        known = {"signature_def": {"signature_def": model.metadata()}}
        return JSONResponse({"model_spec": spec, "metadata": known})

    async def predict(self, request: Request) -> Response:
        """Answers the inputs in a request's body."""
        name, version = _target(request)
        async with self._bodies.read(request) as body:
            async with self._one_long if is_long(body) else self._at_once:
                if await request.is_disconnected():  # while it waited
                    raise ClientDisconnect
                content = await anyio.to_thread.run_sync(
                    self._answer, name, version, body
                )
        return Response(content, media_type="application/json")

    def _answer(self, name: str, version: int | None, body: bytearray) -> bytes:
        return json_codec.answer(self._models.get(name, version), body)


def _target(request: Request) -> tuple[str, int | None]:
    """Returns the model's name and the version asked for, if one is."""
    name = request.path_params["name"]
    version = request.path_params.get("version")
    if ":" in name or not re.fullmatch("[0-9]{1,18}", version or "0"):
        raise HTTPException(400, error_answers.malformed(request))
    return name, None if version is None else int(version)
