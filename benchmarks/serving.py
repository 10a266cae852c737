"""Measures the local server against an eager Keras fine-tuning loop.

Example:
    python benchmarks/serving.py --model_base_path=saved_models

A request adapts to a 5-way 5-shot support set in 50 steps and answers 25
queries; images are random, which costs the same. Clients take turns with the
rival, so that whatever else the machine does hits both alike. The same is asked
without a server, of the model itself, so that what clients wait for can be
told: it, or the server. Adapting and predicting are measured apart, over REST,
where an adapted learner is a long text, and in the model itself.
"""

import concurrent.futures
import functools
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from reptile_tf.utils import machine

machine.configure_tensorflow()

import keras
import numpy as np
import report
import tensorflow as tf
from absl import app, flags

from reptile_tf import models
from reptile_tf.serving.client import LocalModel, RemoteModel
from reptile_tf.utils.files import write_json

ROOT = pathlib.Path(__file__).resolve().parents[1]
BASE = flags.DEFINE_string(
    "model_base_path", "saved_models", "The folder of the models to serve."
)
MODEL = flags.DEFINE_string(
    "model", "omniglot_5shot_5way", "The name of the model to ask."
)
ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "How often the server and its rival take turns.", 1
)
SLICE = flags.DEFINE_integer(
    "slice", 16, "The requests of a turn, of all clients together.", 8
)
OUTPUT = flags.DEFINE_string(
    "output",
    str(ROOT / "results" / "benchmarks" / "serving.json"),
    "The file for the results.",
)
WAYS, SHOTS, STEPS, QUERIES, BATCH = 5, 5, 50, 25, 6
CLIENTS = 1, 2, 4, 8
IN_THE_MODEL = {"1 in the model": 1, "2 in the model": 2}


def start_server() -> tuple[subprocess.Popen, str, float]:
    """Returns the process, its URL, and seconds until it answers."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "reptile_tf", "serve"),
            *(f"--model_base_path={BASE.value}", "--rest_api_port=0"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    for line in process.stdout:
        if found := re.search(r"at (http://\S+:\d+)", line):
            url = f"{found[1]}/v1/models/{MODEL.value}"
            return process, url, time.perf_counter() - start
    raise RuntimeError(f"the server ended with code {process.wait()}")


def seconds_to_import() -> float:
    """Returns what a process takes to import what the server imports."""
    code = "import reptile_tf.cli.main, reptile_tf.serving.server.server"
    command = [sys.executable, "-c", code]
    # The first time, files come from the disk; for the server they do not.
    *_, again = seconds_of(lambda: subprocess.run(command, check=True), 2)
    return again


def make_inputs() -> dict[str, np.ndarray]:
    """Returns the inputs of a request, of random images."""
    draw = np.random.default_rng(0)

    def images(n):
        return draw.integers(0, 256, (n, 28, 28, 1), np.uint8)

    return {
        "support_images": images(WAYS * SHOTS),
        "support_labels": np.arange(WAYS * SHOTS, dtype=np.int32) % WAYS,
        "query_images": images(QUERIES),
        "steps": np.int32(STEPS),
    }


class EagerKeras:
    """The rival: adapts eagerly with Keras."""

    def __init__(self):
        self._model = models.omniglot_cnn(WAYS)
        self._phi = self._model.get_weights()

    def __call__(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Adapts; returns the probabilities of the queries."""
        model = self._model
        model.set_weights(self._phi)
        optimizer = keras.optimizers.Adam(1.5e-3, beta_1=0.0, epsilon=1e-8)
        loss = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="sum"
        )
        x = tf.cast(inputs["support_images"], tf.float32) / 255
        y = tf.constant(inputs["support_labels"])
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
        query_x = tf.cast(inputs["query_images"], tf.float32) / 255
        return tf.nn.softmax(model(query_x, training=False)).numpy()


def seconds_of(function: Callable[[], Any], count: int) -> list[float]:
    """Returns what each of `count` calls took."""
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return taken


def ask_side_by_side(connections, request) -> tuple:
    """Returns seconds of each request, and requests per second of all.

    Args:
        connections: of each client, to what it asks.
        request: what it asks.
    """
    clients = len(connections)
    each = max(1, SLICE.value // clients)
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = pool.map(
            lambda model: seconds_of(lambda: model.predict(*request), each),
            connections,
        )
        taken = [seconds for part in answers for seconds in part]
    return taken, each * clients / (time.perf_counter() - start)


def make_pieces(remote: RemoteModel, local: LocalModel, inputs: dict) -> dict:
    """Returns name -> a call that adapts or predicts, and no more.

    Args:
        remote: the model on the server.
        local: the same without a server.
        inputs: of the request whose pieces they are.
    """
    adapt = dict(inputs)
    predict = {"query_images": adapt.pop("query_images")}
    predict |= remote.predict("adapt_uint8", adapt)  # the weights
    pieces = {
        f"{name}_{where}": functools.partial(
            model.predict, f"{name}_uint8", given
        )
        for name, given in (("adapt", adapt), ("predict", predict))
        for where, model in (("over_rest", remote), ("in_the_model", local))
    }
    for piece in pieces.values():
        piece()
    return pieces


def measure(url: str, model: RemoteModel, inputs: dict) -> tuple:
    """Takes turns; returns the seconds, and the rates, of each contestant.

    Args:
        url: of the model on the server.
        model: the same, connected.
        inputs: of the request that is made.
    """
    request, rival = ("adapt_and_predict_uint8", inputs), EagerKeras()
    rival(inputs)
    local = LocalModel(os.path.join(BASE.value, MODEL.value))
    pieces = make_pieces(model, local, inputs)
    asked = {n: [RemoteModel(url) for _ in range(n)] for n in CLIENTS}
    asked |= {name: [local] * n for name, n in IN_THE_MODEL.items()}
    local.predict(*request)
    taken = {name: [] for name in ("rival", *asked, *pieces)}
    rates = {clients: [] for clients in asked}
    for _ in range(ROUNDS.value):
        taken["rival"] += seconds_of(lambda: rival(inputs), 2)
        for clients, connections in asked.items():
            seconds, rate = ask_side_by_side(connections, request)
            taken[clients] += seconds
            rates[clients].append(rate)
        for name, piece in pieces.items():
            taken[name] += seconds_of(piece, 6)
    return taken, rates


def summarize(taken: dict, rates: dict) -> dict:
    """Returns the results that are reported of what `measure` returned."""
    rate = {clients: statistics.median(each) for clients, each in rates.items()}
    medians = {name: statistics.median(t) for name, t in taken.items()}
    pieces = [name for name in taken if name not in ("rival", *rates)]
    return {
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
                "requests_per_second": rate[clients],
            }
            for clients in rates
        },
        "eager_keras_ms": 1000 * medians["rival"],
        "ms": {name: 1000 * medians[name] for name in pieces},
        "times_faster_than_eager_keras": rate[1] * medians["rival"],
        "throughput_of_2_clients_to_1": rate[2] / rate[1],
        "predict_to_adapt": {
            where: medians[f"predict_{where}"] / medians[f"adapt_{where}"]
            for where in ("over_rest", "in_the_model")
        },
    }


def main(_):
    """Runs the benchmark."""
    inputs = make_inputs()
    importing = seconds_to_import()
    process, url, ready = start_server()
    try:
        model = RemoteModel(url)
        request = "adapt_and_predict_uint8", inputs
        [first] = seconds_of(lambda: model.predict(*request), 1)
        results = summarize(*measure(url, model, inputs))
    finally:
        process.terminate()
        process.wait()
    results["seconds_to_serve_beyond_imports"] = ready - importing + first
    write_json(OUTPUT.value, results)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    app.run(main)
