"""Section 4.2: phi comes near all tasks' solution manifolds.

Example:
    python scripts/solution_manifolds.py

Writes figure2.png, distances.png (from the sine network to waves' solutions, as
it learns) and manifolds.json (the numbers) into --output.
"""

import dataclasses
import json

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import build as experiment
from reptile_tf.experiments import plots
from reptile_tf.experiments.presets import PRESETS
from reptile_tf.paper import manifolds
from reptile_tf.training.saving import whole_file

OUTPUT = flags.DEFINE_string("output", "results/manifolds", "Folder.")
OUTER = flags.DEFINE_integer("outer_iterations", 3000, "Of the sine run.", 1)
WAVES = flags.DEFINE_integer("waves", 50, "Test waves to measure on.", 2)
LOSS = flags.DEFINE_float("loss", 0.01, "At which W is a solution.", 0)
MOST = flags.DEFINE_integer("most_steps", 10_000, "To reach that loss.", 1)
STEPS = flags.DEFINE_integer("steps", 1000, "Of the other measurement.", 1)
SEED = flags.DEFINE_integer("seed", 0, "Of weights and waves.", 0)
command_line.define_thread_flags()


def plane(path):
    circles = manifolds.Circles([[-2.0, -1.0], [2.2, 1.0]], [1.6, 2.0])
    settings = {"eps": 0.5, "outer_iterations": 100, "inner_steps": 4}
    learner = manifolds.plane_learner([-1.5, 4.0], **settings)
    phis, adapted = manifolds.iterates(learner, circles, 100)
    nearest = circles.nearest_to_all()
    plots.plane_iterates(circles, phis, adapted, nearest, path)
    return settings | circles.compare(phis[0], phis[-1], nearest)


def sine(path):
    preset = dataclasses.replace(PRESETS["sine"], outer_iterations=OUTER.value)
    train, test = experiment.make_tasks(preset, SEED.value)
    learner = experiment.make_learner(preset, SEED.value, train.input_shape)
    solutions = manifolds.Solutions(learner, test, WAVES.value, LOSS.value)
    ends = {
        f"first W of loss {LOSS.value} or less": (MOST.value, True),
        f"W after {STEPS.value} steps": (STEPS.value, False),
    }
    measures = {name: [] for name in ends}
    for iteration in manifolds.logarithmic(OUTER.value):
        if iteration:
            learner.fit(train, iteration, verbose=0)
        for name, end in ends.items():
            measures[name].append(solutions.measure(*end))
        print(*(rows[-1] for rows in measures.values()), sep="\n", flush=True)
    plots.solution_distance(measures, path)
    return measures


def main(_):
    command_line.configure_threads()
    folder = OUTPUT.value
    results = {"plane": plane(f"{folder}/figure2.png")}
    results["sine"] = sine(f"{folder}/distances.png")
    with whole_file(f"{folder}/manifolds.json") as part:
        part.write_text(json.dumps(results, indent=2) + "\n")
    print(f"Look at {folder}")


if __name__ == "__main__":
    command_line.run(main)
