"""Meta-trains a preset into a run folder; the same command again resumes.

Example:
    reptile-tf train --preset=omniglot_5shot_5way --run_dir=runs/o55

Each setting of the preset is a flag too. The run folder gets config.json,
classes.json (which classes are for training, validation and test),
checkpoints/, history.csv, and TensorBoard's events in logs/. The accuracies
along the way are of validation tasks; test classes are read by evaluate alone.
Ctrl-C and SIGTERM save before they end the training.
"""

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.cli.main import stopped
from reptile_tf.experiments.presets import PRESETS

PRESET = flags.DEFINE_enum(
    "preset", None, list(PRESETS), "The experiment to train.", required=True
)
RUN_DIR = shared_flags.define_run_dir("The run folder, made if it is new.")
DATA_DIR = shared_flags.define_data_dir()
SEED = shared_flags.define_seed()
CHECKPOINT_EVERY = flags.DEFINE_integer(
    "checkpoint_every",
    500,
    "The outer iterations between two checkpoints.",
    1,
)
EVAL_EVERY = flags.DEFINE_integer(
    "eval_every",
    None,
    "The outer iterations between two evaluations on validation tasks; a "
    "fiftieth of the training if not given.",
    1,
)
NUM_VALIDATION_TASKS = flags.DEFINE_integer(
    "num_validation_tasks",
    50,
    "The number of validation tasks of each evaluation during the training.",
    2,
)
shared_flags.define_settings()


def main() -> None:
    """Trains, or goes on training."""
    from reptile_tf.experiments.run import Run

    run = Run(
        RUN_DIR.value,
        shared_flags.preset(PRESET.value),
        SEED.value,
        DATA_DIR.value,
    )
    signal = run.train(
        CHECKPOINT_EVERY.value, EVAL_EVERY.value, NUM_VALIDATION_TASKS.value
    )
    if signal is not None:
        stopped(signal)
    print(
        f"Finished: {run.preset.outer_iterations} outer iterations, in "
        f"{RUN_DIR.value}."
    )
