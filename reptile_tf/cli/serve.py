"""Serves exported models over TF Serving's APIs, without TF Serving.

Example:
    reptile-tf serve --model_base_path=saved_models
    curl http://127.0.0.1:8501/v1/models/omniglot_5shot_5way

It is for trying and testing: a client written against it works unchanged
against TF Serving, which is what to use where many depend on it. Flags that
TF Serving has, too, have its names.
"""

import math
import sys

from absl import flags

from reptile_tf.cli import flags as shared_flags

BASE = shared_flags.define_path(
    "model_base_path",
    "saved_models",
    "The folder of the models, which holds NAME/VERSION/saved_model.pb. The "
    "newest version of each model answers.",
)
CONFIG_FILE = shared_flags.define_path(
    "model_config_file",
    None,
    "A file that names the models, their folders, which of their versions are "
    "served and by which labels, as TF Serving reads it; in place of "
    "--model_base_path.",
)
HOST = flags.DEFINE_string("host", "127.0.0.1", "The address to listen at.")
REST_PORT = flags.DEFINE_integer(
    "rest_api_port",
    8501,
    "The port to listen at for REST; 0 for a free one.",
    0,
    65535,
)
GRPC_PORT = flags.DEFINE_integer(
    "port",
    None,
    "The port to listen at for gRPC, such as 8500; 0 for a free one. If not "
    "given, there is no gRPC.",
    0,
    65535,
)
TIMEOUT = flags.DEFINE_integer(
    "rest_api_timeout_in_ms",
    30_000,
    "The milliseconds that a request may take once it is received, over REST "
    "and over gRPC; then it is ended.",
    1,
    86_400_000,
)
CORS = flags.DEFINE_bool(
    "rest_api_enable_cors_support",
    False,
    "Whether web pages from other origins may ask over REST.",
)
POLL_SECONDS = flags.DEFINE_float(
    "file_system_poll_wait_seconds",
    1.0,
    "The seconds between two looks for new versions.",
    0.1,
    86_400,
)
MAX_BODY = flags.DEFINE_integer(
    "max_body_bytes",
    64 << 20,
    "The longest request body that is read; less where a model's own limits "
    "need less.",
    1,
)
CLIENT_TIMEOUT = flags.DEFINE_float(
    "client_timeout",
    30.0,
    "The seconds that a client may take to send the head of a request, to "
    "send its body, and to read the answer.",
    0.001,
    86_400,
)
for _flag in (POLL_SECONDS, CLIENT_TIMEOUT):
    flags.register_validator(_flag, math.isfinite, "must be a finite number")


def main() -> None:
    """Serves until it is stopped."""
    from reptile_tf.serving.server import listening, model_config, server
    from reptile_tf.serving.server.served_models import ServedModels

    source: model_config.Source
    if CONFIG_FILE.value is None:
        source = model_config.ModelFolder(BASE.value)
    else:
        source = model_config.ConfigFile(CONFIG_FILE.value)
    place = listening.bind(HOST.value, REST_PORT.value)
    grpc_place = None
    if GRPC_PORT.value is not None:
        grpc_place = listening.bind(HOST.value, GRPC_PORT.value)
    models = ServedModels(source, _tell)
    models.refresh(at_once=True)
    if not (names := models.names()):
        raise ValueError(
            f"{_given()} holds no NAME/VERSION that can be "
            "served, as reptile-tf export makes; of a model's own folder, give "
            "the one above"
        )
    ports = listening.url(place)
    if grpc_place is not None:
        ports += f" and gRPC at {listening.address(grpc_place)}"
    with models.watched(POLL_SECONDS.value):
        server.Server(
            models,
            timeout=TIMEOUT.value / 1000,
            max_body_bytes=MAX_BODY.value,
            client_timeout=CLIENT_TIMEOUT.value,
            cors=CORS.value,
            grpc_place=grpc_place,
            announce=lambda: print(
                "Serving", ", ".join(names), "at", ports, flush=True
            ),
            log_level="info",
            use_colors=False,
        ).run([place])


def _tell(folder: str, why: str) -> None:
    """Says that a folder is not served."""
    print(f"reptile-tf serve: {folder!r} is left out: {why}", file=sys.stderr)


def _given() -> str:
    """Returns the flag that says which models are served, and its value."""
    if CONFIG_FILE.value is None:
        return f"model_base_path={BASE.value}"
    return f"model_config_file={CONFIG_FILE.value}"
