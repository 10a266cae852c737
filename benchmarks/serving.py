"""Measures the local server against an eager Keras fine-tuning loop.

Example:
    python benchmarks/serving.py --model_base_path=saved_models

A request adapts to a 5-way 5-shot support set in 50 steps and answers 25
queries; images are random, which costs the same. Clients take turns with the
rival, so that whatever else the machine does hits both alike. Adapting and
predicting are measured over REST, where an adapted learner is a long text, and
in the model itself.
"""

import concurrent.futures
import functools
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from reptile_tf import models
from reptile_tf.serving.client import LocalModel, RemoteModel
from reptile_tf.training.saving import whole_file
from reptile_tf.utils import threads as runtime

HERE = pathlib.Path(__file__).resolve().parent
BASE = flags.DEFINE_string(
    "model_base_path", "saved_models", "Models that are served."
)
MODEL = flags.DEFINE_string("model", "omniglot_5shot_5way", "The one to ask.")
ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds of slices.", 1)
SLICE = flags.DEFINE_integer("slice", 16, "Requests of a slice.", 8)
OUTPUT = flags.DEFINE_string(
    "output",
    str(HERE.parent / "results" / "benchmarks" / "serving.json"),
    "File for the results.",
)
WAYS, SHOTS, STEPS, QUERIES, BATCH = 5, 5, 50, 25, 6
CLIENTS = 1, 2, 4, 8


def start_server():
    """Returns the process, its URL, and seconds to the first answer."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, HERE.parent / "scripts" / "serve.py"),
            *(f"--model_base_path={BASE.value}", "--rest_api_port=0"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if found := re.search(r"running on (http://\S+:\d+)", line):
            url = f"{found[1]}/v1/models/{MODEL.value}"
            return process, url, time.perf_counter() - start
    raise RuntimeError(f"the server ended with code {process.wait()}")


def seconds_to_import() -> float:
    """Returns what a process takes to import what the server imports."""
    code = "import uvicorn, reptile_tf.serving.server.app, reptile_tf.cli.flags"
    command = [sys.executable, "-c", code]
    # The first time, files come from the disk; for the server they do not.
    *_, again = seconds_of(lambda: subprocess.run(command, check=True), 2)
    return again


def eager_keras(given) -> np.ndarray:
    """The rival: adapts eagerly with Keras; returns probabilities."""
    model = eager_keras.model
    model.set_weights(eager_keras.phi)
    optimizer = keras.optimizers.Adam(1.5e-3, beta_1=0.0, epsilon=1e-8)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="sum"
    )
    x = tf.cast(given["support_images"], tf.float32) / 255
    y = tf.constant(given["support_labels"])
    order = np.concatenate(
        [np.random.permutation(len(y)) for _ in range(STEPS)]
    )
    for i in range(STEPS):
        rows = order[i * BATCH : (i + 1) * BATCH]
        with tf.GradientTape() as tape:
            outputs = model(tf.gather(x, rows), training=True)
            value = loss(tf.gather(y, rows), outputs)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)
    query_x = tf.cast(given["query_images"], tf.float32) / 255
    return tf.nn.softmax(model(query_x, training=False)).numpy()


def seconds_of(function, count: int) -> list[float]:
    """Returns what each of `count` calls took."""
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return taken


def load(url: str, request, clients: int) -> tuple[list[float], float]:
    """Returns seconds of each request, and requests per second of all."""
    each = max(1, SLICE.value // clients)
    connections = [RemoteModel(url) for _ in range(clients)]
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = pool.map(
            lambda model: seconds_of(lambda: model.predict(*request), each),
            connections,
        )
        taken = [seconds for part in answers for seconds in part]
    return taken, each * clients / (time.perf_counter() - start)


def main(_):
    """Runs the benchmark."""
    runtime.configure()
    draw = np.random.default_rng(0)

    def images(n):
        return draw.integers(0, 256, (n, 28, 28, 1), np.uint8)

    given = {
        "support_images": images(WAYS * SHOTS),
        "support_labels": np.arange(WAYS * SHOTS, dtype=np.int32) % WAYS,
        "query_images": images(QUERIES),
        "steps": np.int32(STEPS),
    }
    whole = "adapt_and_predict_uint8", given
    query = {"query_images": given.pop("query_images")}
    adapting = "adapt_uint8", dict(given)
    given |= query
    eager_keras.model = models.omniglot_cnn(WAYS)
    eager_keras.phi = eager_keras.model.get_weights()

    importing = seconds_to_import()
    process, url, ready = start_server()
    try:
        model = RemoteModel(url)
        first = seconds_of(lambda: model.predict(*whole), 1)[0]
        weights = model.predict(*adapting)["weights"]
        later = "predict_uint8", {"weights": weights, **query}
        eager_keras(given)
        local = LocalModel(pathlib.Path(BASE.value, MODEL.value))
        pieces = {
            f"{name}_{what}": functools.partial(place.predict, *request)
            for name, request in (("adapt", adapting), ("predict", later))
            for what, place in (("over_rest", model), ("in_the_model", local))
        }
        for piece in pieces.values():
            piece()
        taken = {clients: [] for clients in CLIENTS}
        rates = {clients: [] for clients in CLIENTS}
        rival, times = [], {name: [] for name in pieces}
        for _ in range(ROUNDS.value):
            rival += seconds_of(lambda: eager_keras(given), 2)
            for clients in CLIENTS:
                seconds, rate = load(url, whole, clients)
                taken[clients] += seconds
                rates[clients].append(rate)
            for name, piece in pieces.items():
                times[name] += seconds_of(piece, 6)
    finally:
        process.terminate()
        process.wait()
    one = statistics.median(rates[1])
    medians = {name: statistics.median(t) for name, t in times.items()}
    results = {
        "machine": report.machine(),
        "request": {
            "ways": WAYS,
            "shots": SHOTS,
            "steps": STEPS,
            "queries": QUERIES,
        },
        "clients": {
            clients: {
                "p50_ms": 1000 * float(np.percentile(taken[clients], 50)),
                "p95_ms": 1000 * float(np.percentile(taken[clients], 95)),
                "requests_per_second": statistics.median(rates[clients]),
            }
            for clients in CLIENTS
        },
        "eager_keras_ms": 1000 * statistics.median(rival),
        "ms": {name: 1000 * median for name, median in medians.items()},
        "times_faster_than_eager_keras": one * statistics.median(rival),
        "throughput_of_2_clients_to_1": statistics.median(rates[2]) / one,
        "predict_to_adapt": {
            what: medians[f"predict_{what}"] / medians[f"adapt_{what}"]
            for what in ("over_rest", "in_the_model")
        },
        "seconds_to_serve_beyond_imports": ready - importing + first,
    }
    with whole_file(OUTPUT.value) as part:
        part.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    app.run(main)
