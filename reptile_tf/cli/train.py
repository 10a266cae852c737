"""Meta-trains a preset into a run folder; the same command again resumes.

Example:
    reptile-tf train --preset=omniglot_5shot_5way --run_dir=runs/o55

Each setting of the preset is a flag too. --config takes the settings that a
search found, or those of another run, instead of a preset:

    reptile-tf train --config=runs/search/best.json --run_dir=runs/best

A run that is there already goes on
without --preset, as far as it was to go or as --outer_iterations says:

    reptile-tf train --run_dir=runs/o55 --outer_iterations=200000

--seeds trains with several seeds, into a run folder each: runs/o55s/seed-0 and
so on. The same command resumes all of them, and evaluate gives their mean:

    reptile-tf train --preset=omniglot_5shot_5way --run_dir=runs/o55s --seeds=3

The run folder gets config.json, classes.json (which classes are for training,
validation and test), checkpoints/, history.csv, and TensorBoard's events in
logs/, and at the end learning_curve.png. The accuracies along the way are of
validation tasks; no training reads test classes. Ctrl-C and SIGTERM
save before they end the training.
"""

import dataclasses
import pathlib
import time
from typing import Any

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.cli import seeds as seeds_flag
from reptile_tf.cli.main import stopped
from reptile_tf.experiments import config_file, seeds_file
from reptile_tf.experiments.preset import of_config
from reptile_tf.experiments.presets import PRESETS

PRESET = flags.DEFINE_enum(
    "preset",
    None,
    list(PRESETS),
    "The experiment to train; that of the run folder if not given.",
)
CONFIG = shared_flags.define_path(
    "config",
    None,
    "A file with all settings, instead of a preset: the best.json of a search, "
    "or the config.json of another run; --seed and --data_dir are the file's, "
    "too, if not given.",
)
RUN_DIR = shared_flags.define_run_dir("The run folder, made if it is new.")
DATA_DIR = shared_flags.define_data_dir()
SEED = shared_flags.define_seed()
SEEDS = seeds_flag.define(
    "The seeds to train with, one after another, instead of --seed; those of "
    "the folder if it holds some."
)
CHECKPOINT_EVERY = flags.DEFINE_integer(
    "checkpoint_every",
    500,
    "The outer iterations between two checkpoints.",
    1,
)
EVAL_EVERY = flags.DEFINE_integer(
    "eval_every",
    None,
    "The outer iterations between two evaluations on validation tasks. If not "
    "given they are those of the run; a new one has 50 evaluations, or fewer "
    "where these would take more than about a fifth of its time.",
    1,
)
NUM_VALIDATION_TASKS = flags.DEFINE_integer(
    "num_validation_tasks",
    None,
    "The number of validation tasks of each evaluation during the training. If "
    "not given it is that of the run; a new one has 50, or fewer where its "
    "only evaluation would take more than about a fifth of its time and "
    "--eval_every is not given.",
    2,
)
# Flags besides the settings that all workers must be given alike.
_ALIKE = CHECKPOINT_EVERY, EVAL_EVERY, NUM_VALIDATION_TASKS
strategy = shared_flags.define_strategy()
shared_flags.define_settings()


def main() -> None:
    """Trains, or goes on training."""
    folder, seed, data_dir = RUN_DIR.value, SEED.value, DATA_DIR.value
    if PRESET.value is not None and CONFIG.value is not None:
        raise ValueError("give --preset or --config, not both")
    seeds = seeds_flag.chosen(folder)
    if PRESET.value is not None:
        preset = shared_flags.preset(PRESET.value)
    else:
        config = _config()
        preset = shared_flags.with_flags(of_config(config))
        seed = seed if SEED.present else config["seed"]
        data_dir = data_dir or config.get("data_dir")
    # Before anything that may use TensorFlow.
    alike = dataclasses.asdict(preset) | {"seed": seeds or seed}
    alike |= {flag.name: flag.value for flag in _ALIKE}
    del alike["manual_dir"]  # each may keep it elsewhere
    shared = strategy(alike)
    from reptile_tf.experiments import ending, seed_runs
    from reptile_tf.experiments.run import Run
    from reptile_tf.training.distribution import Distribution

    how = {flag.name: flag.value for flag in _ALIKE} | {"strategy": shared}
    start = time.monotonic()
    if seeds is None:
        signal = Run(folder, preset, seed, data_dir).train(**how)
    else:
        signal = seed_runs.train(folder, preset, seeds, data_dir, **how)
    if signal is not None:
        stopped(signal)
    follows = Distribution(shared).worker > 0
    where = "which worker 0 has written" if follows else f"in {folder}"
    each = f" with each of the seeds {seeds_file.told(seeds)}" if seeds else ""
    print(
        f"Finished: {preset.outer_iterations} outer iterations{each}, {where}."
    )
    if not follows:
        print(*ending.told(folder, time.monotonic() - start), sep="\n")


def _config() -> dict[str, Any]:
    """Returns the settings where --preset does not say them."""
    if CONFIG.value is not None:
        return config_file.read(
            CONFIG.value,
            "give --config the best.json of a search, or the config.json of a "
            "run",
        )
    run = seeds_file.run_folders(pathlib.Path(RUN_DIR.value))[0]
    path = run / config_file.NAME
    if not path.exists():
        raise ValueError(
            f"run_dir={RUN_DIR.value} holds no run to go on with; give "
            "--preset to begin one, as in --preset=glyphs"
        )
    return config_file.read(path)
