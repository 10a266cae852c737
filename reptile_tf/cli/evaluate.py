"""Evaluates the newest learner of a run folder; writes evaluation.json there.

Example:
    reptile-tf evaluate --run_dir=runs/o55 --num_tasks=1000 --mode=all
"""

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.training.settings import EVALUATION_MODES

RUN_DIR = shared_flags.define_run_dir()
NUM_TASKS = shared_flags.define_num_tasks(1000, "test tasks")
MODE = flags.DEFINE_enum(
    "mode",
    "all",
    ["all", *EVALUATION_MODES],
    "Which statistics batch normalization uses for the queries: their own "
    "(transductive), those of the support set and one query at a time "
    "(support_and_query), or those of the support set alone (support).",
)
DATA_DIR = shared_flags.define_data_dir("the folder that the training used")


def main() -> None:
    """Evaluates."""
    from reptile_tf.experiments.run import Run
    from reptile_tf.training import score

    run = Run.open(RUN_DIR.value, DATA_DIR.value)
    modes = None if MODE.value == "all" else [MODE.value]
    print(score.table(run.evaluate(NUM_TASKS.value, modes)))
