"""Several experiments beside one another: a folder of run folders."""

import os
import pathlib
from collections.abc import Iterable
from typing import Any

from reptile_tf.experiments import archive, build
from reptile_tf.experiments.preset import Preset
from reptile_tf.experiments.run import Run
from reptile_tf.training.score import read_entries
from reptile_tf.utils.paths import local


def complete(
    folder: str | os.PathLike,
    experiments: dict[str, Preset],
    seed: int,
    data_dir: str | os.PathLike | None,
    num_tasks: int,
    **training: Any,
) -> int | None:
    """Trains and evaluates experiments, as far as that is still to be done.

    Args:
        folder: of the run folders.
        experiments: name of a run folder -> its settings.
        seed: of all of them.
        data_dir: TFDS's data_dir; TFDS's default if None.
        num_tasks: the number of tasks of the last evaluation of each, at
            least 2.
        **training: arguments of `Run.train`.

    Returns:
        The number of the signal that stopped it, None at the end.
    """
    for preset in experiments.values():  # all, before the first is trained
        build.require_possible(preset)
    for name, preset in experiments.items():
        path = local("run_dir", folder) / name
        run = Run(path, preset, seed, data_dir)
        signal = run.train(**training)
        if signal is not None:
            return signal
        if not _evaluated(run, num_tasks):
            run.evaluate(num_tasks)
    return None


def _evaluated(run: Run, num_tasks: int) -> bool:
    """Returns whether the end of the training was, on so many tasks."""
    path = run.folder / "evaluation.json"
    if not path.exists():
        return False
    wanted = num_tasks, run.preset.outer_iterations
    return all(
        (entry["num_tasks"], entry["outer_iterations"]) == wanted
        for entry in read_entries(path)
    )


def keep_finished(
    folder: str | os.PathLike,
    names: Iterable[str],
    kept: str | os.PathLike | None = None,
) -> list[pathlib.Path]:
    """Copies settings, histories and evaluations of the runs that are finished.

    Args:
        folder: of the run folders.
        names: of the runs, which need not all be there yet.
        kept: where to copy them; `folder` itself, and nothing, if None.

    Returns:
        The runs' places in `kept`, also of those that are not there.
    """
    folder = local("run_dir", folder)
    kept = folder if kept is None else local("keep", kept)
    names = list(names)
    for name in names:
        if kept != folder and (folder / name / "evaluation.json").exists():
            archive.keep(folder / name, kept / name, learner=False)
    return [kept / name for name in names]
