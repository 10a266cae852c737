"""Serves exported models over TF Serving's REST API, without TF Serving.

Example:
    reptile-tf serve --model_base_path=saved_models
    curl http://127.0.0.1:8501/v1/models/omniglot_5shot_5way

It is for trying and testing: a client written against it works unchanged
against TF Serving, which is what to use where many depend on it.
"""

import gc
import sys

from absl import flags

from reptile_tf.cli import flags as shared_flags

BASE = shared_flags.define_path(
    "model_base_path",
    "saved_models",
    "The folder of the models, which holds NAME/VERSION/saved_model.pb.",
)
HOST = flags.DEFINE_string("host", "127.0.0.1", "The address to listen at.")
PORT = flags.DEFINE_integer(
    "rest_api_port",
    8501,
    "The port to listen at; 0 for a free one.",
    0,
    65535,
)
MAX_BODY = flags.DEFINE_integer(
    "max_body_bytes", 32 << 20, "The longest request body that is read.", 1
)
CLIENT_TIMEOUT = flags.DEFINE_float(
    "client_timeout",
    30.0,
    "The seconds that a client may take to send the head of a request, to "
    "send its body, and to read the answer.",
    0,
)


def main() -> None:
    """Serves until it is stopped."""
    from reptile_tf.serving.server import app, listening, saved_models

    models = saved_models.ModelFolder(BASE.value)
    place = listening.bind(HOST.value, PORT.value)
    left_out = models.left_out()
    names = []
    for name in models.names():
        try:
            models.get(name)
            names.append(name)
        except saved_models.NotFound as error:
            folder = f"{BASE.value}/{name}"
            left_out[folder] = f"{error}; export it again, or remove it"
    for folder, reason in left_out.items():
        print(
            f"reptile-tf serve: {folder!r} is left out: {reason}",
            file=sys.stderr,
        )
    if not names:
        raise ValueError(
            f"model_base_path={BASE.value} holds no NAME/VERSION that can be "
            "served, as reptile-tf export makes; of a model's own folder, give "
            "the one above"
        )
    # What is here stays; to look through it for garbage would hold up every
    # third request for a fifth of a second.
    gc.collect()
    gc.freeze()
    app.run(
        models,
        place,
        lambda url: print("Serving", ", ".join(names), "at", url, flush=True),
        max_body_bytes=MAX_BODY.value,
        client_timeout=CLIENT_TIMEOUT.value,
        log_level="info",
        use_colors=False,
    )
