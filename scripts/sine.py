"""Sine regression (section 3, Figure 1): error after 0 to 32 steps, a picture.

Takes the learners of run folders that were trained with --preset=sine, by the
folders' names, and a random one, with the settings of the first.

Example:
    python scripts/train.py --preset=sine --run_dir=runs/sine
    python scripts/sine.py --run_dir=runs/sine

Writes sine.json (mean squared error over new waves, with 95% intervals) and
sine.png (one wave before and after inner steps) into the first folder.
"""

import json

import tensorflow as tf
from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import build as experiment
from reptile_tf.experiments import plots
from reptile_tf.experiments.run import Run
from reptile_tf.training.saving import whole_file

RUN_DIR = flags.DEFINE_multi_string(
    "run_dir", None, "Folder of a sine training; may be given several times."
)
TASKS = flags.DEFINE_integer("tasks", 1000, "Number of new waves.", 2)
STEPS = flags.DEFINE_multi_integer(
    "steps", [0, 1, 5, 10, 32], "Inner steps to measure after.", 0
)
flags.mark_flag_as_required("run_dir")
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    runs = {run.folder.name: run for run in map(Run.open, RUN_DIR.value)}
    sines = [r for r in runs.values() if r.preset.dataset == "sine"]
    if len(sines) < len(RUN_DIR.value):
        raise ValueError(
            f"run_dir={RUN_DIR.value} must be trainings on sine waves, each "
            "folder with a name of its own"
        )
    run = sines[0]
    _, waves = experiment.make_tasks(run.preset, run.seed)
    learners = {name: each.learner() for name, each in runs.items()}
    learners["random"] = experiment.make_learner(
        run.preset, run.seed, waves.input_shape
    )
    results = []
    for name, learner in learners.items():
        for steps in STEPS.value:
            [score] = learner.evaluate(waves, TASKS.value, steps=steps)
            print(f"{name} initialization, {steps} steps: {score}")
            results.append({"initialization": name, "steps": steps})
            results[-1] |= score.as_dict()
    with whole_file(run.folder / "sine.json") as part:
        part.write_text(json.dumps(results, indent=2) + "\n")

    wave = waves.sample(tf.constant(TASKS.value, tf.int64))
    seen = wave.support_x, wave.support_y
    predictions = {
        name: {n: one.adapt(*seen, steps=n)(wave.query_x) for n in STEPS.value}
        for name, one in learners.items()
    }
    plots.sine_wave(wave, predictions, run.folder / "sine.png")
    print(f"Look at {run.folder}/sine.png")


if __name__ == "__main__":
    command_line.run(main)
