"""The server as a process: its ports, its start, and its end."""

import asyncio
import gc
import math
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

from reptile_tf.serving.server import connections
from reptile_tf.serving.server.app import application
from reptile_tf.serving.server.computing import Computing
from reptile_tf.serving.server.grpc_api import GrpcServer
from reptile_tf.serving.server.long_bodies import LongBodies
from reptile_tf.serving.server.metrics import Metrics
from reptile_tf.serving.server.parts import Parts
from reptile_tf.serving.server.request_body import BodyReader
from reptile_tf.serving.server.requests import Requests
from reptile_tf.serving.server.served_models import ServedModels
from reptile_tf.utils.extras import extra

with extra("serve"):
    import uvicorn

_BACKLOG = 128  # connections that the system keeps until they are taken
_KEEP_ALIVE = 75  # seconds that a connection may be idle


class Server(uvicorn.Server):
    """Answers over REST, and over gRPC if it is given a port for it.

    Args:
        models: what it serves.
        timeout: seconds that a request may take, once it is received, after
            which it gets status 504.
        max_body_bytes: longest request body; a longer one gets status 413.
        client_timeout: seconds that a client may take to send the head of a
            request, and to read the answer, after which its connection is
            closed, and to send the body, after which it gets status 408.
        cors: whether pages from other origins may ask.
        grpc_place: where gRPC is answered, of `listening.bind`; None for
            nowhere.
        most_requests: that are received and not answered; one more gets
            status 503.
        most_connections: of each API at a time, of which the longest idle is
            closed for one more; None for as many as the process can have, up to
            a thousand over REST and two hundred over gRPC.
        around: the API's ASGI application -> that of the whole server.
        announce: is called once it answers.
        **settings: of `uvicorn.Config`, such as host and port.
    """

    def __init__(
        self,
        models: ServedModels,
        *,
        timeout: float = 30.0,
        max_body_bytes: int = 64 << 20,
        client_timeout: float = 30.0,
        cors: bool = False,
        grpc_place: socket.socket | None = None,
        most_requests: int = 256,
        most_connections: int | None = None,
        around: Callable[[Any], Any] = lambda api: api,
        announce: Callable[[], None] = lambda: None,
        **settings: Any,
    ):
        self._parts = Parts(
            models,
            Computing(),
            Metrics(models),
            timeout,
            Requests(most_requests),
        )
        self._long_bodies = LongBodies()
        self._grpc_place = grpc_place
        self._grpc: GrpcServer | None = None
        self._for_grpc = max_body_bytes, client_timeout, most_connections
        self._announce = announce
        app = application(
            self._parts,
            BodyReader(max_body_bytes, client_timeout),
            self._long_bodies,
            cors,
        )
        super().__init__(
            uvicorn.Config(
                around(app),
                http=connections.protocol(
                    client_timeout, max_body_bytes, most_connections
                ),
                ws="none",
                lifespan="off",
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=math.ceil(timeout),
                **settings,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(connections.AcceptFailures())
        if self._grpc_place is not None:
            self._grpc = GrpcServer(self._parts, *self._for_grpc)
            await self._grpc.start(self._grpc_place)
        await super().startup(sockets)
        # A body of JSON is tens of thousands of lists, which are soon gone: to
        # look for garbage at every seven hundredth takes a third of the time
        # to read it.
        gc.set_threshold(100_000, 20, 100)
        self._announce()

    async def shutdown(
        self, sockets: list[socket.socket] | None = None
    ) -> None:
        """Ends when all that is being computed has been answered."""
        ends = [super().shutdown(sockets)]
        if self._grpc is not None:
            ends.append(self._grpc.stop())
        await asyncio.gather(*ends)
        self._long_bodies.close()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends when all is answered; at the second Ctrl-C at once."""
        if self.should_exit and sig == signal.SIGINT:
            os._exit(128 + sig)
        super().handle_exit(sig, frame)
