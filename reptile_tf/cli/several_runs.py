"""What the commands that compare several trainings share."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from absl import flags

from reptile_tf.cli import flags as shared_flags
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
    shared_flags.define_num_tasks(
        1000, "tasks of each finished run's evaluation"
    )


def train_all(
    presets: dict[str, Preset],
    names: Iterable[str],
    seeds: Sequence[int] | None = None,
    **training: Any,
) -> list[pathlib.Path]:
    """Trains and evaluates what is still to be done, and keeps what there is.

    Ends the command if a signal stopped it.

    Args:
        presets: name of a run folder -> its settings.
        names: of all the runs that belong together.
        seeds: to train each with, in a folder of seeds; --seed alone if None.
        **training: arguments of `Run.train`.

    Returns:
        Where the results of each of `names` are, or will be.
    """
    from reptile_tf.experiments import compare

    given = flags.FLAGS
    signal = compare.complete(
        given.run_dir,
        presets,
        seeds or given.seed,
        given.data_dir,
        given.num_tasks,
        given.keep,
        **training,
    )
    if signal is not None:
        stopped(signal)
    return compare.keep_finished(given.run_dir, names, given.keep)
