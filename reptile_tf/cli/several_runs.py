"""What the commands that compare several trainings share."""

import pathlib
from collections.abc import Iterable
from typing import Any

from absl import flags

from reptile_tf.cli import flags as shared_flags
from reptile_tf.cli import seeds
from reptile_tf.cli.main import stopped
from reptile_tf.experiments.preset import Preset

# The flags defined here belong to the command that asks for them.
flags.disclaim_key_flags()


def define_flags(run_dir: str) -> None:
    """Defines the flags of `train_all`.

    Args:
        run_dir: the folder of the run folders if --run_dir is not given.
    """
    shared_flags.define_path(
        "run_dir", run_dir, "The folder of the run folders."
    )
    shared_flags.define_path(
        "keep",
        None,
        "The folder to keep settings, histories, evaluations and the picture "
        "in; they stay in --run_dir if not given.",
    )
    shared_flags.define_data_dir()
    shared_flags.define_seed()
    seeds.define(
        "The seeds to train each with, instead of --seed, in a folder of seeds."
    )
    shared_flags.define_num_tasks(
        1000, "tasks of each finished run's evaluation"
    )


def train_all(
    presets: dict[str, Preset], names: Iterable[str], **training: Any
) -> list[pathlib.Path]:
    """Trains and evaluates what is still to be done, and keeps what there is.

    Ends the command if a signal stopped it.

    Args:
        presets: name of a run folder -> its settings.
        names: of all the runs that belong together.
        **training: arguments of `Run.train`.

    Returns:
        Where the results of each of `names` are, or will be.
    """
    from reptile_tf.experiments import compare

    given = flags.FLAGS
    if given.seeds is not None and given["seed"].present:
        raise ValueError("give --seed or --seeds, not both")
    signal = compare.complete(
        given.run_dir,
        presets,
        given.seed if given.seeds is None else given.seeds,
        given.data_dir,
        given.num_tasks,
        **training,
    )
    if signal is not None:
        stopped(signal)
    return compare.keep_finished(given.run_dir, names, given.keep)
