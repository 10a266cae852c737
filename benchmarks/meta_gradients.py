"""Measures time and peak memory of each meta-gradient against inner steps.

Example:
    python benchmarks/meta_gradients.py

Writes meta_gradients.json and meta_gradients.png. Every meta-gradient with
every k has a process of its own, whose peak memory is the operating system's
count. Settings are Table 6's (5-shot 5-way Omniglot, SGD, one task an outer
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
from matplotlib import pyplot
from worker import Worker

from reptile_tf import command_line, meta_gradients, presets
from reptile_tf.persistence import whole_file

ROUNDS = flags.DEFINE_integer("rounds", 10, "Rounds of slices.", 1)
SLICE = flags.DEFINE_integer("slice", 10, "Outer iterations of a slice.", 1)
STEPS = flags.DEFINE_multi_integer("steps", [1, 2, 4, 8, 16], "k.", 1)
OUTPUT_DIR = flags.DEFINE_string(
    "output_dir",
    str(pathlib.Path(__file__).resolve().parents[1] / "results/benchmarks"),
    "Folder for the results.",
)
command_line.define_thread_flags()
PRESET = dataclasses.replace(
    presets.PRESETS["omniglot_gradients"],
    meta_gradient="reptile",
    inner_batch_size=5,
    training_shots=16,
    query_shots=1,
)


def names(steps: int) -> dict[str, str]:
    """Returns the meta-gradients of so many steps, by what to call them."""
    last = ",".join(["1"] * steps)
    return {name: name for name in meta_gradients.NAMES} | {"g1+...+gk": last}


def measure(shared, steps: int) -> dict[str, dict]:
    """Returns time and memory of every meta-gradient for k steps."""
    workers = {
        name: Worker(
            [sys.executable, pathlib.Path(__file__).with_name("ours.py")]
            + [shared],
            {
                "preset": dataclasses.asdict(PRESET)
                | {"meta_gradient": text, "inner_steps": steps}
            },
        )
        for name, text in names(steps).items()
    }
    answers = {name: [] for name in workers}
    for worker in workers.values():
        worker.run("train", 2)
    order = list(workers)
    for done in range(ROUNDS.value):
        print(f"\r{steps} steps, round {done + 1}   ", end="", flush=True)
        random.Random(done).shuffle(order)  # noise hits all alike
        for name in order:
            answers[name].append(workers[name].run("train", SLICE.value))
    for worker in workers.values():
        worker.close()
    return {
        name: {
            "median_ms": round(statistics.median(a["ms"] for a in own), 3),
            "median_cpu_ms": round(
                statistics.median(a["cpu_ms"] for a in own), 3
            ),
            "peak_mb": round(own[-1]["peak_mb"], 1),
        }
        for name, own in answers.items()
    }


def draw(by_steps, path) -> None:
    """Draws time and memory, a line for each meta-gradient."""
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4))
    units = {"median_ms": "ms per task", "peak_mb": "peak memory, MB"}
    for panel, (field, unit) in zip(panels, units.items(), strict=True):
        for name in next(iter(by_steps.values())):
            values = [found[name][field] for found in by_steps.values()]
            panel.plot(list(by_steps), values, "o-", label=name)
        panel.set(xlabel="inner steps k", ylabel=unit)
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


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
            "meta_batch_mode": "serial",
            "intra_op_threads": flags.FLAGS.intra_op_threads,
            "inter_op_threads": flags.FLAGS.inter_op_threads,
        }
        pathlib.Path(shared).write_text(json.dumps(settings))
        by_steps = {steps: measure(shared, steps) for steps in STEPS.value}
    print()
    results = {
        "rounds": ROUNDS.value,
        "slice": SLICE.value,
        "intra_op_threads": flags.FLAGS.intra_op_threads,
        "inter_op_threads": flags.FLAGS.inter_op_threads,
        "inner_batch_size": PRESET.inner_batch_size,
        "machine": report.machine(),
        "steps": by_steps,
    }
    folder = pathlib.Path(OUTPUT_DIR.value)
    with whole_file(folder / "meta_gradients.json") as part:
        part.write_text(json.dumps(results, indent=1) + "\n")
    with whole_file(folder / "meta_gradients.png") as part:
        draw(by_steps, part)
    print("Wrote", folder / "meta_gradients.json", "and meta_gradients.png")


if __name__ == "__main__":
    app.run(main)
