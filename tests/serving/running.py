"""A server that runs beside a test, in a thread."""

import contextlib
import threading
import time

import tensorflow as tf

from reptile_tf.serving.server.model_config import ModelFolder
from reptile_tf.serving.server.served_models import ServedModels
from reptile_tf.serving.server.server import Server


def load(base) -> ServedModels:
    """Returns the models below a folder."""
    models = ServedModels(ModelFolder(base))
    models.refresh(at_once=True)
    return models


@contextlib.contextmanager
def serving(models, place=None, **settings):
    """Yields the port of a server of models, at a place if it is given."""
    settings.setdefault("port", 0)
    server = Server(models, log_level="critical", **settings)
    with answering(server, place=place) as port:
        yield port


@contextlib.contextmanager
def answering(server, port=0, place=None):
    """Yields the port of a server, which answers while the block runs."""
    server.config.port = port or server.config.port
    thread = threading.Thread(target=server.run, args=(place and [place],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


class _Loop(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "steps")])
    def count(self, steps):
        i = tf.constant(0)
        while i < steps:
            i += 1
        return {"made": i}


def save_loop(folder) -> None:
    """Writes a model that takes as long as a request says, by its `steps`."""
    module = _Loop()
    tf.saved_model.save(module, str(folder), {"serving_default": module.count})
