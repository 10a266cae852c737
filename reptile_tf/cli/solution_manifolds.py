"""Checks section 4.2: phi comes near all tasks' solution manifolds.

Example:
    reptile-tf solution_manifolds --output=results/manifolds

Writes figure2.png, distances.png (from the sine network to the waves'
solutions, as it learns) and manifolds.json (the numbers) into the folder.
"""

import dataclasses
from typing import Any

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.experiments.presets import PRESETS

OUTPUT = shared_flags.define_path(
    "output", "results/manifolds", "The folder to write to."
)
OUTER = flags.DEFINE_integer(
    "outer_iterations", 3000, "The outer iterations of the sine training.", 1
)
NUM_TASKS = shared_flags.define_num_tasks(50, "test waves to measure on")
LOSS = flags.DEFINE_float(
    "loss", 0.01, "The mean loss from which on weights are a solution.", 0
)
MOST = flags.DEFINE_integer(
    "most_steps", 10_000, "The most inner steps to reach that loss.", 1
)
STEPS = flags.DEFINE_integer(
    "steps", 1000, "The inner steps of the second measurement.", 1
)
SEED = shared_flags.define_seed("the weights and the waves")


def main() -> None:
    """Measures, and draws."""
    from reptile_tf.utils.files import write_json

    folder = OUTPUT.value
    results = {"plane": plane(f"{folder}/figure2.png")}
    results["sine"] = sine(f"{folder}/distances.png")
    write_json(f"{folder}/manifolds.json", results)
    print(f"Look at {folder}")


def plane(picture: str) -> dict[str, Any]:
    """Draws Figure 2; returns how near phi came to where it should."""
    from reptile_tf.paper import figures, manifolds

    circles = manifolds.Circles([[-2.0, -1.0], [2.2, 1.0]], [1.6, 2.0])
    settings = {"eps": 0.5, "outer_iterations": 100, "inner_steps": 4}
    learner = manifolds.plane_learner([-1.5, 4.0], 0.5, 100, 4)
    phis, adapted = manifolds.iterates(learner, circles, 100)
    nearest = circles.nearest_to_all()
    figures.plane_iterates(circles, phis, adapted, nearest, picture)
    return settings | circles.compare(phis[0], phis[-1], nearest)


def sine(picture: str) -> dict[str, Any]:
    """Draws the distances; returns the measurements of each kind."""
    from reptile_tf.experiments import build
    from reptile_tf.paper import figures, manifolds

    preset = dataclasses.replace(PRESETS["sine"], outer_iterations=OUTER.value)
    train, _, test = build.make_tasks(preset, SEED.value)
    learner = build.make_learner(preset, SEED.value, build.input_shape(train))
    solutions = manifolds.Solutions(learner, test, NUM_TASKS.value, LOSS.value)
    ends = {
        f"first W of loss {LOSS.value} or less": (MOST.value, True),
        f"W after {STEPS.value} steps": (STEPS.value, False),
    }
    measures: dict[str, list] = {name: [] for name in ends}
    for iteration in manifolds.logarithmic(OUTER.value):
        if iteration:
            learner.fit(train, iteration, verbose=0)
        for name, end in ends.items():
            measures[name].append(solutions.measure(*end))
        for name, rows in measures.items():
            row = rows[-1]
            print(
                f"outer iteration {row['outer_iteration']:,}, {name}: "
                f"|phi - W| = {row['distance']:.3f} +- {row['ci95']:.3f} "
                f"(95% interval, {row['num_tasks']} waves)",
                flush=True,
            )
    figures.solution_distance(measures, picture)
    return measures
