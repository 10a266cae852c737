"""Evaluates the newest learner of a run folder on test tasks.

Example:
    reptile-tf evaluate --run_dir=runs/o55 --num_tasks=1000 --mode=all

Writes what it found to evaluation.json in the run folder. With
--split=validation or --split=train it evaluates on tasks of those classes, and
writes evaluation_validation.json or evaluation_train.json.
"""

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.data.task_settings import SPLITS
from reptile_tf.training.settings import EVALUATION_MODES

RUN_DIR = shared_flags.define_run_dir()
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
    alike = RUN_DIR, NUM_TASKS, SPLIT, MODE
    shared = strategy({flag.name: flag.value for flag in alike})
    from reptile_tf.experiments.run import Run
    from reptile_tf.training import score

    run = Run.open(RUN_DIR.value, DATA_DIR.value)
    modes = None if MODE.value == "all" else [MODE.value]

    def show(scores: list[score.Score]) -> None:
        names = list(run.tasks().class_sizes.get(SPLIT.value, ()))
        if names:
            print(f"{len(names):,} {SPLIT.value} classes: {_some(names)}")
        print(score.table(scores), flush=True)

    run.evaluate(
        *(NUM_TASKS.value, modes),
        split=SPLIT.value,
        show=show,
        strategy=shared,
    )


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
