"""Evaluates the newest learner of a run folder on test tasks.

Example:
    reptile-tf evaluate --run_dir=runs/o55 --num_tasks=1000 --mode=all

Writes what it found to evaluation.json in the run folder. With
--split=validation or --split=train it evaluates on tasks of those classes, and
writes evaluation_validation.json or evaluation_train.json.

Of a folder of seeds, which train --seeds made, it evaluates each seed's run,
prints a table of the means, with their 95% intervals over seeds and over tasks,
and writes evaluation_of_seeds.json and seeds.png there, too. With --seeds it
evaluates some of them, and prints their means without writing them.
"""

import functools
import pathlib
from typing import TYPE_CHECKING

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.cli import seeds as seeds_flag
from reptile_tf.data.task_settings import SPLITS
from reptile_tf.experiments import seeds_file
from reptile_tf.training.settings import EVALUATION_MODES

if TYPE_CHECKING:
    from reptile_tf.experiments.run import Run
    from reptile_tf.training.score import Score

RUN_DIR = shared_flags.define_run_dir(
    "The run folder, or folder of seeds, that train wrote."
)
SEEDS = seeds_flag.define(
    "The seeds to evaluate, of a folder of seeds; all of them if not given."
)
NUM_TASKS = shared_flags.define_num_tasks(1000, "tasks")
SPLIT = flags.DEFINE_enum(
    "split", "test", SPLITS, "The classes that the tasks are made of."
)
MODE = flags.DEFINE_enum(
    "mode",
    "all",
    ["all", *EVALUATION_MODES],
    "Which statistics batch normalization uses for the queries: their own "
    "(transductive), those of the support set and one query at a time "
    "(support_and_query), or those of the support set alone (support).",
)
DATA_DIR = shared_flags.define_data_dir("the folder that the training used")
strategy = shared_flags.define_strategy()


def main() -> None:
    """Evaluates."""
    # Before anything that may use TensorFlow.
    alike = RUN_DIR, NUM_TASKS, SPLIT, MODE, SEEDS
    shared = strategy({flag.name: flag.value for flag in alike})
    from reptile_tf.experiments import seed_runs
    from reptile_tf.experiments.run import Run

    modes = None if MODE.value == "all" else [MODE.value]
    if SEEDS.value is None and not seeds_file.held(RUN_DIR.value):
        run = Run.open(RUN_DIR.value, DATA_DIR.value)
        run.evaluate(
            *(NUM_TASKS.value, modes),
            split=SPLIT.value,
            show=functools.partial(_show, run),
            strategy=shared,
        )
        return
    found = seed_runs.evaluate(
        *(RUN_DIR.value, NUM_TASKS.value, SEEDS.value, DATA_DIR.value, modes),
        split=SPLIT.value,
        show=_show,
        strategy=shared,
    )
    if found:  # as of all processes but worker 0 it is not
        _show_means(found)


def _show(run: "Run", scores: list["Score"]) -> None:
    """Prints what an evaluation found, and what else it takes the place of."""
    from reptile_tf.experiments.run import evaluation_file
    from reptile_tf.training import score

    sizes = run.class_sizes() or run.tasks().class_sizes
    if names := list(sizes.get(SPLIT.value, ())):
        print(f"{len(names):,} {SPLIT.value} classes: {_some(names)}")
    print(score.table(scores), flush=True)
    path = run.folder / evaluation_file(SPLIT.value)
    num_tasks = {each.mode: each.num_tasks for each in scores}
    lost = [
        str(each)
        for each in _held(path)
        if each.num_tasks > num_tasks.get(each.mode, 0)
    ]
    if lost:
        print(f"They replace what {path} held:", *lost, sep="\n  ", flush=True)


def _held(path: pathlib.Path) -> list["Score"]:
    from reptile_tf.training import score

    try:
        return list(map(score.Score.of_dict, score.read_entries(path)))
    except (FileNotFoundError, ValueError):
        return []


def _show_means(found: list[dict]) -> None:
    """Prints a table of the means over seeds, and draws them."""
    from reptile_tf.experiments import seed_scores

    count = len(found[0]["seeds"])
    print(f"Means over {count} seeds, on {SPLIT.value} tasks:")
    print("\n".join(seed_scores.table(found)))
    if count < 2:
        print("There is no interval over seeds of one seed.")
    if count < len(seeds_file.held(RUN_DIR.value)):
        print("These means are not written, since they are not of all seeds.")
        return
    path = pathlib.Path(RUN_DIR.value) / seed_scores.file_of(SPLIT.value)
    print(f"Wrote {path}.")
    try:
        from reptile_tf.experiments import run_pictures
    except ModuleNotFoundError as error:
        print(f"No picture is drawn: {error}")
        return
    print(f"Look at {run_pictures.of_means(path)}")


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
