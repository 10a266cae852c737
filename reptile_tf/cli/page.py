"""Opens a page on which one draws characters, and a model learns them.

Example:
    reptile-tf page
    reptile-tf page --model=saved_models/mine
    reptile-tf page --server=http://127.0.0.1:8501/v1/models/omniglot_5shot_5way

Prints the address of the page, for a browser on this machine. The model adapts
to what is drawn each time it is asked. A model of photos learns from pictures
that are dropped on the page. With --model the page and the model have one
server; with --server the page asks one that is there already, such as TF
Serving, through its own. Nothing else is asked, and nothing is kept but in the
browser.
"""

import os
import socket
import sys
from collections.abc import Callable

from absl import flags

from reptile_tf.cli import flags as shared_flags

MODEL = shared_flags.define_path(
    "model",
    "saved_models/omniglot_5shot_5way",
    "The exported model: a folder that export wrote.",
)
SERVER = flags.DEFINE_string(
    "server",
    None,
    "The URL of the model on a server that is there already, "
    "http://HOST:8501/v1/models/NAME; in place of --model.",
)
PORT = flags.DEFINE_integer(
    "port", 8600, "The port of the page; 0 for a free one.", 0, 65535
)
_HOST = "127.0.0.1"


def main() -> None:
    """Serves the page until it is stopped."""
    from reptile_tf.serving.server import listening

    if SERVER.value is not None and flags.FLAGS["model"].present:
        raise ValueError(
            f"model={MODEL.value} and server={SERVER.value} are two models; "
            "give one of the two"
        )
    with listening.bind(_HOST, PORT.value) as place:
        url = listening.url(place)

        def announce() -> None:
            print(f"The page is at {url}", flush=True)

        if SERVER.value is None:
            _here(place, announce)
        else:
            from reptile_tf.serving.page import server

            server.before(SERVER.value, announce).run([place])


def _here(place: socket.socket, announce: Callable[[], None]) -> None:
    """Serves the page and the model."""
    from reptile_tf.serving.page import server
    from reptile_tf.serving.server.model_config import OneModel
    from reptile_tf.serving.server.served_models import ServedModels

    if not flags.FLAGS["model"].present and not os.path.isdir(MODEL.value):
        raise ValueError(
            f"there is no {MODEL.value} here, which is the model in the "
            "checkout of reptile_tf: run the command there, or give --model"
        )
    source = OneModel(MODEL.value)
    models = ServedModels(
        source,
        lambda folder, why: print(
            f"reptile-tf page: {folder!r} is left out: {why}", file=sys.stderr
        ),
    )
    models.refresh(at_once=True)
    if not models.names():
        raise ValueError(f"model={MODEL.value} holds no version that loads")
    with models.watched(1.0):
        server.here(models, source.name, announce).run([place])
