"""The tour of `make run`: learns to learn characters, in a few minutes.

Example:
    reptile-tf tour

Meta-trains on drawn characters, evaluates on characters never seen in
training, adapts to one new task, and leaves pictures of it all in a new run
folder.
"""

import itertools
import pathlib
import sys

from reptile_tf.cli import flags as shared_flags

ROOT = shared_flags.define_path(
    "root", "runs", "The folder in which run folders are made."
)
NUM_TASKS = shared_flags.define_num_tasks(
    150, "tasks of the last evaluation", 100
)
SEED = shared_flags.define_seed()
# Shorter than the preset, and on all cores: a tour is to be short.
SETTINGS = {"outer_iterations": 400, "meta_batch_mode": "parallel"}
# What the drawn characters do not look at.
WITHOUT_EFFECT = (
    *("dataset", "image_size", "channels", "resize", "omniglot_split"),
    *("manual_dir", "allow_partial", "label_key", "csv", "csv_columns"),
    *("merge_splits", "skip_unreadable"),
)
shared_flags.define_settings(but=WITHOUT_EFFECT, instead=SETTINGS)


def new_folder(root: str) -> pathlib.Path:
    """Makes and returns the first of root/tour-1, -2, ... to be had."""
    for number in itertools.count(1):
        folder = pathlib.Path(root, f"tour-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise AssertionError("numbers do not end")


def main() -> None:
    """Trains, evaluates, adapts and draws."""
    import numpy as np

    from reptile_tf.data.episodes import Episodes
    from reptile_tf.experiments import plots, task_plots
    from reptile_tf.experiments.run import Run
    from reptile_tf.training import score

    folder = new_folder(ROOT.value)
    preset = shared_flags.preset("glyphs", **SETTINGS)
    run = Run(folder, preset, SEED.value)
    print(f"Meta-training on glyphs, into {folder}")
    print("Outer iterations, mean loss, and accuracy on validation characters:")
    signal = run.train(
        eval_every=max(1, run.preset.outer_iterations // 4),
        num_validation_tasks=25,
    )
    if signal is not None:
        sys.exit(128 + signal)
    plots.learning_curve(folder / "history.csv", folder / "learning_curve.png")
    print(f"Evaluating on {NUM_TASKS.value} tasks of classes never seen")
    scores = run.evaluate(NUM_TASKS.value)

    print("Adapting to one new task")
    tasks = run.tasks().test
    assert isinstance(tasks, Episodes)
    task, probabilities, names = task_plots.answered(
        tasks, run.learner(), NUM_TASKS.value
    )
    task_plots.few_shot_task(task, probabilities, names, folder / "task.png")

    print(f"\n{run.preset.ways}-way {run.preset.shots}-shot, new characters:")
    print(score.table(scores))
    print(
        f"  one task: predicted {np.argmax(probabilities, 1)}, "
        f"true {task.query_y.numpy()}"
    )
    print(
        f"\nLook at {folder}/task.png and {folder}/learning_curve.png; "
        f"the numbers are in {folder}/evaluation.json"
    )
