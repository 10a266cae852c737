"""The tour of `make run`: learn to learn characters, in a few minutes.

Meta-trains on the embedded glyphs, evaluates on classes never seen in
training, adapts to one new task, and leaves pictures of it all in a new run
folder.
"""

import itertools
import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import build as experiment
from reptile_tf.experiments import plots
from reptile_tf.experiments.run import Run
from reptile_tf.training import evaluation_modes as evaluation

ROOT = flags.DEFINE_string("root", "runs", "Where run folders are made.")
TASKS = flags.DEFINE_integer("tasks", 200, "Evaluation tasks a mode.", 100)
SEED = flags.DEFINE_integer("seed", 0, "Of weights, split and tasks.", 0)
command_line.define_preset_flags()
command_line.define_thread_flags()


def new_folder(root) -> pathlib.Path:
    """Makes and returns the first of root/quickstart-1, -2, ... to be had."""
    for number in itertools.count(1):
        folder = pathlib.Path(root, f"quickstart-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue


def main(_):
    command_line.configure_threads()
    folder = new_folder(ROOT.value)
    run = Run(folder, command_line.preset("glyphs"), SEED.value)
    print(f"Meta-training on glyphs, into {folder}")
    signal = run.train(eval_every=max(1, run.preset.outer_iterations // 10))
    if signal is not None:
        sys.exit(128 + signal)
    plots.learning_curve(folder / "history.csv", folder / "learning_curve.png")
    print(f"Evaluating on {TASKS.value} tasks of classes never seen")
    scores = run.evaluate(TASKS.value)

    print("Adapting to one new task")
    _, tasks = experiment.make_tasks(run.preset, run.seed)
    task = tasks.sample(tf.constant(TASKS.value, tf.int64))
    adapted = run.learner().adapt(task.support_x, task.support_y)
    probabilities = plots.probabilities(adapted, task.query_x)
    plots.few_shot_task(task, probabilities, folder / "task.png")

    print(f"\n{run.preset.ways}-way {run.preset.shots}-shot, new characters:")
    print(evaluation.table(scores))
    print(
        f"  one task: predicted {np.argmax(probabilities, 1)}, "
        f"true {task.query_y.numpy()}"
    )
    print(
        f"\nLook at {folder}/task.png and {folder}/learning_curve.png; "
        f"the numbers are in {folder}/evaluation.json"
    )


if __name__ == "__main__":
    command_line.run(main)
