"""Measures time and peak memory of each algorithm against inner steps.

Example:
    python benchmarks/meta_gradients.py

Writes meta_gradients.json and meta_gradients.png; the first holds besides what
a task takes in the runs of `reptile-tf compare_algorithms`. Each has a
process of its own, whose peak memory is the operating system's count. For the
picture, settings are Table 6's (5-shot 5-way Omniglot, SGD, one task an outer
iteration) but for mini-batches of 5, of which 16 can be kept apart. Images are
random, and few, so that loading them makes no peak.
"""

import dataclasses
import json
import pathlib
import random
import statistics
import sys
import tempfile

import numpy as np
import report
from absl import app, flags
from worker import Worker

from reptile_tf.algorithms import NAMED
from reptile_tf.cli import flags as shared_flags
from reptile_tf.experiments import figure_style, words
from reptile_tf.experiments.preset import Preset, of_config
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils.files import write_json

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"
ROUNDS = flags.DEFINE_integer("rounds", 10, "Rounds of slices.", 1)
SLICE = flags.DEFINE_integer("slice", 10, "Tasks of a slice.", 1)
KEPT = flags.DEFINE_string(
    "kept",
    str(RESULTS / "algorithms"),
    "Runs whose settings are measured besides.",
)
STEPS = flags.DEFINE_multi_integer("steps", [1, 2, 4, 8, 16], "k.", 1)
OUTPUT_DIR = flags.DEFINE_string(
    "output_dir",
    str(RESULTS / "benchmarks"),
    "Folder for the results.",
)
shared_flags.define_threads()
PRESET = dataclasses.replace(
    PRESETS["omniglot_gradients"],
    algorithm="reptile",
    inner_batch_size=5,
    training_shots=16,
    query_shots=1,
)

ALL = "g1+...+gk"
CALLED = {ALL: "Reptile, sum of k"}


def of_steps(steps: int) -> dict[str, Preset]:
    """Returns every algorithm's settings for so many inner steps."""
    named = {name: name for name in NAMED}
    named[ALL] = ",".join(["1"] * steps)
    return {
        name: dataclasses.replace(PRESET, algorithm=text, inner_steps=steps)
        for name, text in named.items()
    }


def kept() -> dict[str, Preset]:
    """Returns the settings of the runs that are compared on Omniglot."""
    return {
        path.parent.name: of_config(json.loads(path.read_text()))
        for path in sorted(pathlib.Path(KEPT.value).glob("*/config.json"))
    }


def measure(shared, experiments: dict[str, Preset]) -> dict[str, dict]:
    """Returns time and memory of every experiment, of a task's training."""
    workers = {
        name: Worker(
            [sys.executable, pathlib.Path(__file__).with_name("ours.py")]
            + [shared],
            {
                "preset": dataclasses.asdict(preset),
                "meta_batch_mode": preset.meta_batch_mode,
            },
        )
        for name, preset in experiments.items()
    }
    answers = {name: [] for name in workers}
    for worker in workers.values():
        worker.run("train", 2)
    order = list(workers)
    for done in range(ROUNDS.value):
        print(f"\rround {done + 1} of {ROUNDS.value} ", end="", flush=True)
        random.Random(done).shuffle(order)  # noise hits all alike
        for name in order:
            # About as many tasks for all.
            count = max(1, SLICE.value // experiments[name].meta_batch_size)
            answers[name].append(workers[name].run("train", count))
    print()
    for worker in workers.values():
        worker.close()

    def of_a_task(name, key):
        median = statistics.median(answer[key] for answer in answers[name])
        return round(median / experiments[name].meta_batch_size, 3)

    return {
        name: {
            "median_ms": of_a_task(name, "ms"),
            "median_cpu_ms": of_a_task(name, "cpu_ms"),
            "peak_mb": round(own[-1]["peak_mb"], 1),
        }
        for name, own in answers.items()
    }


def draw(by_steps, path) -> None:
    """Draws time and memory, a line for each algorithm."""
    units = {"median_ms": "ms per task", "peak_mb": "peak memory, MB"}
    with figure_style.figure(path, 2) as panels:
        for panel, (field, unit) in zip(panels, units.items(), strict=True):
            for i, name in enumerate(next(iter(by_steps.values()))):
                values = [found[name][field] for found in by_steps.values()]
                called = CALLED.get(name) or words.algorithm(name)
                look = figure_style.line(i)
                panel.plot(list(by_steps), values, **look, label=called)
            panel.set(xlabel="inner steps k", ylabel=unit)
        figure_style.legend(panels)


def main(_):
    """Runs the benchmark."""
    noise = np.random.RandomState(0)
    offsets = np.arange(101) * 20
    images = 255 * noise.randint(0, 2, (offsets[-1], 28, 28, 1), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        data, shared = (f"{folder}/{n}" for n in ("data.npz", "settings.json"))
        np.savez(
            data,
            train_images=images,
            train_offsets=offsets,
            test_images=images,
            test_offsets=offsets,
        )
        settings = {
            "data": data,
            "intra_op_threads": flags.FLAGS.intra_op_threads,
            "inter_op_threads": flags.FLAGS.inter_op_threads,
        }
        pathlib.Path(shared).write_text(json.dumps(settings))
        by_steps = {k: measure(shared, of_steps(k)) for k in STEPS.value}
        algorithms = measure(shared, kept())
    results = {
        "rounds": ROUNDS.value,
        "slice": SLICE.value,
        "intra_op_threads": flags.FLAGS.intra_op_threads,
        "inter_op_threads": flags.FLAGS.inter_op_threads,
        "inner_batch_size": PRESET.inner_batch_size,
        "machine": report.machine(),
        "steps": by_steps,
        "algorithms": algorithms,
    }
    folder = pathlib.Path(OUTPUT_DIR.value)
    write_json(folder / "meta_gradients.json", results)
    draw(by_steps, folder / "meta_gradients.png")
    print("Wrote", folder / "meta_gradients.json", "and meta_gradients.png")


if __name__ == "__main__":
    app.run(main)
