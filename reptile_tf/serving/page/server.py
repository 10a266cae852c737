"""The page's server: it has the model itself, or asks a server elsewhere."""

import socket
import urllib.parse
from collections.abc import Callable
from typing import Any

from reptile_tf.serving.page import proxy
from reptile_tf.serving.page.application import application
from reptile_tf.serving.picture_model import PictureModel
from reptile_tf.serving.remote_model import RemoteModel
from reptile_tf.serving.server import connections, server
from reptile_tf.serving.server.served_models import ServedModels
from reptile_tf.utils.extras import extra

with extra("serve"):
    import uvicorn
    from starlette.routing import Route

_PATIENCE = 30.0  # seconds for a head, and for an answer to be read


def here(
    models: ServedModels,
    name: str,
    announce: Callable[[], None] = lambda: None,
    **settings: Any,
) -> uvicorn.Server:
    """Returns a server of the page that has the model itself.

    Args:
        models: that it serves.
        name: of the one that the page asks.
        announce: is called once it answers.
        **settings: of `uvicorn.Config`, such as port.

    Raises:
        ValueError: the model does not classify pictures.
    """

    def about() -> PictureModel:
        return PictureModel.of(models.get(name).metadata())

    about()  # which fails before anything is served
    path = f"/v1/models/{urllib.parse.quote(name)}:predict"
    return server.Server(
        models,
        around=lambda api: application(name, path, about, api=api),
        announce=announce,
        log_level="warning",
        **settings,
    )


def before(
    url: str, announce: Callable[[], None] = lambda: None, **settings: Any
) -> uvicorn.Server:
    """Returns a server of the page that asks a server elsewhere.

    Args:
        url: of the model there, such as http://localhost:8501/v1/models/NAME.
        announce: is called once it answers.
        **settings: of `uvicorn.Config`, such as port.

    Raises:
        ValueError: there is no such model, or it does not classify pictures.
    """
    model = RemoteModel(url)
    about = PictureModel.of(model.metadata())
    asking = Route("/predict", proxy.predict(model), methods=["POST"])
    name = url.rstrip("/").rpartition("/")[-1]
    app = application(name, "/predict", lambda: about, [asking], server=url)
    return _Announcing(
        uvicorn.Config(
            app,
            http=connections.protocol(_PATIENCE),
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=1,
            log_level="warning",
            **settings,
        ),
        announce,
    )


class _Announcing(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]):
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer."""
        await super().startup(sockets)
        self._announce()
