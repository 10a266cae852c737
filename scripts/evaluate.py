"""Evaluates the newest learner of a run folder; writes evaluation.json there.

Example:
    python scripts/evaluate.py --run_dir=runs/o55 --tasks=1000 --mode=all
"""

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments.run import Run
from reptile_tf.training import evaluation_modes as evaluation

RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder that train.py wrote.")
TASKS = flags.DEFINE_integer("tasks", 1000, "Number of test tasks.", 2)
MODE = flags.DEFINE_enum(
    "mode",
    "all",
    ["all", *evaluation.MODES],
    "Which statistics batch normalization uses for the queries: their own "
    "(transductive), those of the support set and one query "
    "(support_and_query), or those of the support set (support).",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS's data_dir; the one of the training if not given."
)
flags.mark_flag_as_required("run_dir")
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    run = Run.open(RUN_DIR.value)
    if DATA_DIR.value is not None:
        run.data_dir = DATA_DIR.value
    modes = None if MODE.value == "all" else [MODE.value]
    print(evaluation.table(run.evaluate(TASKS.value, modes)))


if __name__ == "__main__":
    command_line.run(main)
