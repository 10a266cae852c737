"""Meta-trains a preset into a run folder; the same command again resumes.

Example:
    python scripts/train.py --preset=omniglot_5shot_5way --run_dir=runs/o55

Every setting of the preset is a flag too; the decay of the outer step follows
--outer_iterations. The folder gets config.json, checkpoints, history.csv, and
TensorBoard's events in logs/.
"""

from absl import flags

from reptile_tf.cli import flags as command_line
from reptile_tf.experiments import presets
from reptile_tf.experiments.run import Run

PRESET = flags.DEFINE_enum("preset", None, presets.PRESETS, "The experiment.")
RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of the run.")
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "TFDS's data_dir; TFDS's default if not given."
)
SEED = flags.DEFINE_integer("seed", 0, "Of weights, split and tasks.", 0)
CHECKPOINT_EVERY = flags.DEFINE_integer(
    "checkpoint_every", 500, "Outer iterations between checkpoints.", 1
)
EVAL_EVERY = flags.DEFINE_integer(
    "eval_every",
    None,
    "Outer iterations between evaluations on held-out classes; a fiftieth of "
    "the run if not given.",
    1,
)
EVAL_TASKS = flags.DEFINE_integer(
    "eval_tasks", 50, "Tasks of such an evaluation.", 2
)
flags.mark_flags_as_required(["preset", "run_dir"])
command_line.define_preset_flags()
command_line.define_thread_flags()


def main(_):
    command_line.configure_threads()
    run = Run(
        RUN_DIR.value,
        command_line.preset(PRESET.value),
        SEED.value,
        DATA_DIR.value,
    )
    signal = run.train(
        CHECKPOINT_EVERY.value, EVAL_EVERY.value, EVAL_TASKS.value
    )
    if signal is not None:
        command_line.stopped(signal)
    print(
        f"Finished: {run.preset.outer_iterations} outer iterations, in "
        f"{RUN_DIR.value}."
    )


if __name__ == "__main__":
    command_line.run(main)
