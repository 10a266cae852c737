"""Measures how an outer iteration's time grows with the work in it.

Example:
    python benchmarks/scaling.py

Writes scaling.json and scaling.png: time against inner steps, meta-batch size
and batch size, each from the 5-shot 5-way Omniglot preset, on random images.
"""

import dataclasses
import logging
import os
import pathlib
import random
import statistics
import tempfile

from reptile_tf.utils import machine

machine.configure_tensorflow()

import our_loop
import prepare
import report
from absl import app, flags
from worker import Timer

from reptile_tf.cli import flags as shared_flags
from reptile_tf.experiments import build, figure_style
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.training.settings import META_BATCH_MODES
from reptile_tf.utils.files import write_json

ROUNDS = flags.DEFINE_integer("rounds", 10, "Rounds of slices.", 1)
SLICE = flags.DEFINE_integer("slice", 3, "Outer iterations of a slice.", 1)
OUTPUT_DIR = flags.DEFINE_string(
    "output_dir",
    str(pathlib.Path(__file__).resolve().parents[1] / "results/benchmarks"),
    "Folder for the results.",
)
shared_flags.define_threads()
PRESET = PRESETS["omniglot_5shot_5way"]
GRID = {
    "inner_steps": (1, 2, 5, 10, 16),
    "meta_batch_size": (1, 2, 5, 10),
    "inner_batch_size": (5, 10, 25, 50),
}


def measure(tasks, cases) -> dict:
    """Returns the least and the median milliseconds of each preset."""
    learners = {
        case: build.make_learner(case, 0, tasks.input_shape) for case in cases
    }
    times, timer, order = {case: [] for case in cases}, Timer(), list(cases)
    for number, case in enumerate(cases):
        print(f"\rcompiling {number + 1} of {len(cases)}", end="", flush=True)
        our_loop.train(learners[case], tasks, 2, timer)
    for done in range(ROUNDS.value):
        print(f"\rround {done + 1} of {ROUNDS.value}     ", end="", flush=True)
        random.Random(done).shuffle(order)  # noise hits all alike
        for case in order:
            our_loop.train(learners[case], tasks, SLICE.value, timer)
            times[case].append(timer.wall_ms / SLICE.value)
    print()
    return {
        case: {
            "median_ms": round(statistics.median(values), 3),
            "min_ms": round(min(values), 3),
        }
        for case, values in times.items()
    }


def draw(curves, path) -> None:
    """Draws a panel for each of the fields."""
    with figure_style.figure(path, 3, height=1.5, sharey=True) as panels:
        for panel, (field, modes) in zip(panels, curves.items(), strict=True):
            for i, (mode, points) in enumerate(modes.items()):
                panel.plot(
                    [p[field] for p in points],
                    [p["min_ms"] for p in points],
                    **figure_style.line(i),
                    label=mode,
                )
            panel.set_xlabel(field.replace("_", " "))
            panel.set_ylabel("ms per iteration")
            panel.set_xlim(left=0)
            panel.set_ylim(bottom=0)
        figure_style.legend(panels, "meta-batch mode")


def main(_):
    """Runs the benchmark."""
    machine.configure_tensorflow(
        flags.FLAGS.intra_op_threads, flags.FLAGS.inter_op_threads
    )
    # Every case is traced once; TensorFlow suspects that one is traced often.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data.npz")
        prepare.write_data(data)
        tasks, _ = our_loop.load_tasks(data, PRESET)
    cases = {
        (field, mode, value): dataclasses.replace(
            PRESET, **{field: value, "meta_batch_mode": mode}
        )
        for field, values in GRID.items()
        for mode in META_BATCH_MODES
        for value in values
    }
    # The preset itself is in every panel and measured once.
    times = measure(tasks, list(dict.fromkeys(cases.values())))
    curves = {
        field: {
            mode: [
                {field: value, **times[cases[field, mode, value]]}
                for value in values
            ]
            for mode in META_BATCH_MODES
        }
        for field, values in GRID.items()
    }
    results = {
        "rounds": ROUNDS.value,
        "slice": SLICE.value,
        "intra_op_threads": flags.FLAGS.intra_op_threads,
        "inter_op_threads": flags.FLAGS.inter_op_threads,
        "machine": report.machine(),
        "curves": curves,
    }
    folder = pathlib.Path(OUTPUT_DIR.value)
    write_json(folder / "scaling.json", results)
    draw(curves, folder / "scaling.png")
    print("Wrote", folder / "scaling.json", "and scaling.png")


if __name__ == "__main__":
    app.run(main)
