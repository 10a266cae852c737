"""TF Serving's REST API, for machines without TF Serving.

    GET  /v1/models/NAME[/versions/V]            which versions there are
    GET  /v1/models/NAME[/versions/V]/metadata   signatures
    POST /v1/models/NAME[/versions/V]:predict    answers

A client written against it works unchanged against TF Serving. Strings, and so
base64, are not taken, and there are no /labels.
"""

import asyncio
import http
import json
import math
import os
import re

import anyio
import anyio.to_thread
import tensorflow as tf
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reptile_tf.serving import graph_checks as requests
from reptile_tf.serving.server import json_codec as bodies
from reptile_tf.serving.server import timeouts as slow_clients
from reptile_tf.serving.server.saved_models import Models, NotFound

_SHORT_BODY = 2 << 20  # bytes; as many of these as there are connections
_LONG_BODIES = 4  # of the longest kind, together in memory
_CONNECTIONS = 256
_LONGEST_MESSAGE = 1000  # characters; messages quote requests


def config(
    models: Models,
    *,
    max_body_bytes: int = 32 << 20,
    client_timeout: float = 30.0,
    **settings,
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
        _app(models, max_body_bytes, client_timeout),
        http=slow_clients.protocol(client_timeout),
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=math.ceil(client_timeout),
        **settings,
    )


def _app(models: Models, max_body_bytes, client_timeout) -> Starlette:
    # As many requests are computed at a time as there are cores; others wait.
    at_once = anyio.CapacityLimiter(os.cpu_count() or 1)
    # A parsed body takes many times its length.
    one_long = anyio.CapacityLimiter(1)
    in_memory = 0  # bytes of the bodies under way, but for short ones

    async def status(request: Request) -> Response:
        name, version = _target(request)
        versions = models.versions(name)
        which = "any versions"
        if version is not None:
            versions = [v for v in versions if v == version]
            which = f"version {version}"
        if not versions:
            raise HTTPException(404, f"Could not find {which} of model {name}")
        states = []
        for v in versions:
            failure = models.failure(name, v)
            code = "UNKNOWN" if failure else "OK"
            states.append(
                {
                    "version": str(v),
                    "state": "END" if failure else "AVAILABLE",
                    "status": {"error_code": code, "error_message": failure},
                }
            )
        return JSONResponse({"model_version_status": states})

    async def metadata(request: Request) -> Response:
        name, version = _target(request)
        model = await anyio.to_thread.run_sync(models.get, name, version)
        spec = {
            "name": name,
            "signature_name": "",
            "version": str(model.version),
        }
        known = {"signature_def": {"signature_def": model.metadata()}}
        return JSONResponse({"model_spec": spec, "metadata": known})

    async def predict(request: Request) -> Response:
        nonlocal in_memory
        name, version = _target(request)
        body = bytearray()
        counted = 0

        async def receive():
            nonlocal in_memory, counted
            async for chunk in request.stream():
                body.extend(chunk)
                if len(body) > max_body_bytes:
                    raise HTTPException(
                        413,
                        "The request body is longer than "
                        f"{max_body_bytes} bytes",
                    )
                if len(body) > _SHORT_BODY:
                    in_memory += len(body) - counted
                    counted = len(body)
                    if in_memory > _LONG_BODIES * max_body_bytes:
                        raise HTTPException(
                            503, "Too many long requests at a time; try again"
                        )

        try:
            async with asyncio.timeout(client_timeout):
                await receive()
        except TimeoutError:
            message = "The request body came too slowly"
            raise HTTPException(408, message) from None
        else:
            content = await compute(
                request,
                lambda: bodies.answer(models.get(name, version), body),
                body,
            )
        finally:
            in_memory -= counted
        return Response(content, media_type="application/json")

    async def compute(request: Request, answer, body) -> bytes:
        limiter = one_long if len(body) > _SHORT_BODY else at_once
        async with limiter:
            if await request.is_disconnected():  # while it waited
                raise ClientDisconnect
            return await anyio.to_thread.run_sync(answer)

    async def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, NotFound):
            return _error(404, str(error))
        if isinstance(error, tf.errors.InvalidArgumentError):
            return _error(400, requests.reason(error.message))
        return _error(400, str(error))

    async def broken(request: Request, error: Exception) -> Response:
        return _error(500, f"Internal error: {type(error).__name__}")

    async def unknown(request: Request, error: HTTPException) -> Response:
        if error.detail == http.HTTPStatus(error.status_code).phrase:
            return _error(400, _malformed(request))  # no route, or method
        return _error(error.status_code, error.detail)

    routes = []
    for prefix in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        routes += [
            Route(f"{prefix}:predict", predict, methods=["POST"]),
            Route(f"{prefix}/metadata", metadata, methods=["GET"]),
            Route(prefix, status, methods=["GET"]),
        ]
    server = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: unknown,
            NotFound: refuse,
            ValueError: refuse,
            ClientDisconnect: refuse,
            Exception: broken,
            tf.errors.InvalidArgumentError: refuse,
        },
    )
    server.router.redirect_slashes = False
    return server


def _error(status: int, message: str) -> Response:
    # Escaped: a message may quote what is no text, such as half a surrogate.
    content = json.dumps({"error": message[:_LONGEST_MESSAGE]})
    return Response(content, status, media_type="application/json")


def _target(request: Request) -> tuple[str, int | None]:
    """Returns the model's name and the version asked for, if one is."""
    name = request.path_params["name"]
    version = request.path_params.get("version")
    if ":" in name or not re.fullmatch("[0-9]{1,18}", version or "0"):
        raise HTTPException(400, _malformed(request))
    return name, None if version is None else int(version)


def _malformed(request: Request) -> str:
    return f"Malformed request: {request.method} {request.url.path}"
