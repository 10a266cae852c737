"""Measures what --jit_compile and --mixed_precision do to an outer iteration.

Example:
    python benchmarks/compiled.py --output=results/benchmarks/compiled_gpu.json

It is for the device that TensorFlow computes with, which the file names: a GPU
where there is one, else the processor. Images are random.
"""

import dataclasses
import statistics
import time

from reptile_tf.utils import machine

machine.configure_tensorflow()

import our_loop
import report
import tensorflow as tf
from absl import app, flags

from reptile_tf.experiments import build
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils.files import write_json

PRESET = flags.DEFINE_string("preset", "omniglot_5shot_5way", "To train.")
MAML = "omniglot_5shot_5way_maml"
ITERATIONS = flags.DEFINE_integer("iterations", 20, "Of a turn.", 1)
TURNS = flags.DEFINE_integer("turns", 4, "Turns of each.", 1)
OUTPUT = flags.DEFINE_string("output", None, "File for the results.")
flags.mark_flag_as_required("output")


def settings() -> dict:
    """Returns name -> the experiment that is measured."""
    plain = PRESETS[PRESET.value]
    found = {}
    for jit in (False, True):
        more = {"jit_compile": jit}
        told = ", compiled by XLA" if jit else ""
        for mode in ("serial", "parallel"):
            found[f"{mode}{told}"] = more | {"meta_batch_mode": mode}
        found[f"parallel, bfloat16{told}"] = found[f"parallel{told}"] | {
            "mixed_precision": "bfloat16"
        }
    found = {n: dataclasses.replace(plain, **own) for n, own in found.items()}
    for jit in (False, True):
        told = ", compiled by XLA" if jit else ""
        found[f"maml of 5 steps{told}"] = dataclasses.replace(
            PRESETS[MAML],
            inner_steps=5,
            meta_batch_size=5,
            meta_batch_mode="parallel",
            jit_compile=jit,
        )
    return found


def measure(preset) -> dict:
    """Returns the times of a preset's iterations."""
    tasks = our_loop.random_tasks(preset)
    learner = build.make_learner(preset, 0, tasks.input_shape)
    start = time.perf_counter()
    learner.fit(tasks, 2, verbose=0)
    first = time.perf_counter() - start
    turns = []
    for _ in range(TURNS.value):
        start = time.perf_counter()
        learner.fit(tasks, learner.iteration + ITERATIONS.value, verbose=0)
        turns.append(1000 * (time.perf_counter() - start) / ITERATIONS.value)
    return {
        "median_ms": round(statistics.median(turns), 2),
        "min_ms": round(min(turns), 2),
        "first_two_s": round(first, 1),
    }


def main(_):
    """Runs the benchmark; what is done by then is kept if it is ended."""
    devices = tf.config.list_physical_devices("GPU")
    details = [
        tf.config.experimental.get_device_details(d).get("device_name")
        for d in devices
    ]
    results = {
        "preset": PRESET.value,
        "device": details[0] if details else report.machine()["cpu"],
        "tensorflow": tf.__version__,
        "iterations": ITERATIONS.value,
        "turns": TURNS.value,
        "outer_iteration": {},
    }
    for name, preset in settings().items():
        found = results["outer_iteration"][name] = measure(preset)
        print(f"{found['median_ms']:9.1f} ms  {name}", flush=True)
        write_json(OUTPUT.value, results)


if __name__ == "__main__":
    app.run(main)
