"""TF Serving's REST API, for machines without TF Serving.

    GET  /v1/models/NAME[/versions/V | /labels/L]            the versions
    GET  /v1/models/NAME[/versions/V | /labels/L]/metadata   the signatures
    POST /v1/models/NAME[/versions/V | /labels/L]:predict    answers
    GET  /monitoring/prometheus/metrics                      what was asked

A client written against it works unchanged against TF Serving.
"""

import asyncio
import re
import urllib.parse
from typing import Any

from tensorflow.core.protobuf import error_codes_pb2 as codes

from reptile_tf.serving.server import error_answers, json_codec
from reptile_tf.serving.server.computing import unless, within
from reptile_tf.serving.server.long_bodies import LongBodies
from reptile_tf.serving.server.parts import Parts
from reptile_tf.serving.server.request_body import BodyReader, gone, is_long
from reptile_tf.serving.server.saved_models import SavedModel
from reptile_tf.utils.extras import extra

with extra("serve"):
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware.cors import CORSMiddleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

# Of the JSON of a number: "-0.12345678901234567, " and brackets around it.
_BYTES_OF_A_NUMBER = 32
_BYTES_BESIDE = 64 << 10


def application(
    parts: Parts, bodies: BodyReader, long_bodies: LongBodies, cors: bool
) -> Any:
    """Returns the ASGI application.

    Args:
        parts: what requests are answered with.
        bodies: what reads the bodies of requests.
        long_bodies: what reads what the long ones say.
        cors: whether pages from other origins may ask.
    """
    endpoints = _Endpoints(parts, bodies, long_bodies)
    routes = [Route("/monitoring/prometheus/metrics", endpoints.metrics)]
    for which in ("", "/versions/{version}", "/labels/{label}"):
        prefix = f"/v1/models/{{name}}{which}"
        routes += [
            Route(f"{prefix}:predict", endpoints.predict, methods=["POST"]),
            Route(f"{prefix}/metadata", endpoints.metadata, methods=["GET"]),
            Route(prefix, endpoints.status, methods=["GET"]),
        ]
    app = Starlette(routes=routes, exception_handlers=error_answers.HANDLERS)
    app.router.redirect_slashes = False
    if cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )
    return _AsAProxyIsAsked(app)


class _AsAProxyIsAsked:
    """Takes requests in absolute form, "GET http://HOST/PATH", too.

    Args:
        app: what answers.
    """

    def __init__(self, app: Any):
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raw = scope.get("raw_path") or b""
        if re.match(rb"https?://", raw):
            raw = re.sub(rb"https?://[^/]*", b"", raw, count=1) or b"/"
            path = urllib.parse.unquote(raw.decode("ascii"))
            scope = scope | {"path": path, "raw_path": raw}
        await self._app(scope, receive, send)


class _Endpoints:
    """What answers requests: a method for each kind."""

    def __init__(
        self, parts: Parts, bodies: BodyReader, long_bodies: LongBodies
    ):
        self._parts = parts
        self._bodies, self._long_bodies = bodies, long_bodies

    async def status(self, request: Request) -> Response:
        """Tells the versions of a model, and how they are."""
        versions = self._parts.models.versions(*_target(request))
        states = [
            {
                "version": str(version.number),
                "state": version.state,
                "status": {
                    "error_code": codes.Code.Name(version.error_code),
                    "error_message": version.error_message,
                },
            }
            for version in versions
        ]
        return JSONResponse({"model_version_status": states})

    async def metadata(self, request: Request) -> Response:
        """Tells the signatures of a model."""
        target = _target(request)
        model = self._parts.models.get(*target)
        spec = {
            "name": target[0],
            "signature_name": "",
            "version": str(model.version),
        }
        known = {"signature_def": {"signature_def": model.metadata()}}
        return JSONResponse({"model_spec": spec, "metadata": known})

    async def predict(self, request: Request) -> Response:
        """Answers the inputs in a request's body."""
        target = _target(request)
        model = self._parts.models.get(*target)
        with self._parts.metrics.request(target[0], "REST"):
            numbers = model.most_numbers
            most = _BYTES_BESIDE + _BYTES_OF_A_NUMBER * (numbers or 1 << 40)
            async with self._bodies.read(request, most) as body:
                with self._parts.requests.one_more():
                    content = await unless(
                        gone(request),
                        within(self._parts.timeout, self._answer(model, body)),
                    )
            if content is None:
                raise ClientDisconnect
        return Response(content, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Tells what was asked, as Prometheus reads it."""
        return PlainTextResponse(self._parts.metrics.text())

    async def _answer(self, model: SavedModel, body: Any) -> bytes:
        signatures = model.dtypes
        if is_long(body):
            asked = await self._long_bodies.read(body, signatures)
        else:
            asked = await asyncio.to_thread(json_codec.read, body, signatures)
        outputs = await self._parts.computing.predict(
            model, asked.signature, asked.inputs
        )
        return await asyncio.to_thread(json_codec.write, asked, outputs)


def _target(request: Request) -> tuple[str, int | None, str | None]:
    """Returns the model's name, and the version or the label asked for."""
    name = request.path_params["name"]
    version = request.path_params.get("version")
    if ":" in name or not re.fullmatch("[0-9]{1,18}", version or "0"):
        raise HTTPException(400, error_answers.malformed(request))
    number = None if version is None else int(version)
    return name, number, request.path_params.get("label")
