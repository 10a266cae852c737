"""Measures what --mixed_precision does to accuracy, at a small budget.

Example:
    python benchmarks/mixed_precision.py

Trains the preset glyphs twice, with floats of 32 bits and with bfloat16, and
evaluates both on the same test tasks. `reptile-tf record` makes the table in
docs/scaling.md of it.
"""

import dataclasses
import pathlib

from reptile_tf.utils import machine

machine.configure_tensorflow()

import report
from absl import app, flags

from reptile_tf.experiments import build
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.utils.files import write_json

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"
ITERATIONS = flags.DEFINE_integer("iterations", 200, "Of each training.", 1)
TASKS = flags.DEFINE_integer("num_tasks", 200, "Of each evaluation.", 2)
STEPS = flags.DEFINE_integer("steps", 10, "Inner steps of the evaluation.", 1)
OUTPUT = flags.DEFINE_string(
    "output",
    str(RESULTS / "benchmarks" / "mixed_precision.json"),
    "File for the results.",
)


def scores(mixed_precision) -> list[dict]:
    """Returns the scores of a training from the same seed.

    Args:
        mixed_precision: the setting.
    """
    preset = dataclasses.replace(
        PRESETS["glyphs"],
        outer_iterations=ITERATIONS.value,
        mixed_precision=mixed_precision,
    )
    tasks = build.make_tasks(preset, 0)
    learner = build.make_learner(preset, 0, build.input_shape(tasks.train))
    learner.fit(tasks.train, ITERATIONS.value, verbose=0)
    found = learner.evaluate(
        tasks.evaluated("test"), TASKS.value, steps=STEPS.value
    )
    return [score.as_dict() for score in found]


def main(_):
    """Runs the benchmark."""
    results = {
        "preset": "glyphs",
        "outer_iterations": ITERATIONS.value,
        "steps": STEPS.value,
        "machine": report.machine(),
        "scores": {
            name: scores(setting)
            for name, setting in (("float32", None), ("bfloat16", "bfloat16"))
        },
    }
    write_json(OUTPUT.value, results)
    for name, found in results["scores"].items():
        for one in found:
            print(name, one)


if __name__ == "__main__":
    app.run(main)
