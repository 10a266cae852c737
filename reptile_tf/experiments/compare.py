"""Several experiments beside one another: a folder of run folders."""

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from reptile_tf.experiments import (
    archive,
    build,
    seed_runs,
    seed_scores,
    seeds_file,
)
from reptile_tf.experiments.preset import Preset
from reptile_tf.experiments.run import Run
from reptile_tf.training import score
from reptile_tf.utils.paths import local


def complete(
    folder: str | os.PathLike,
    experiments: dict[str, Preset],
    seed: int | Sequence[int],
    data_dir: str | os.PathLike | None,
    num_tasks: int,
    kept: str | os.PathLike | None = None,
    **training: Any,
) -> int | None:
    """Trains and evaluates experiments, as far as that is still to be done.

    Prints what is trained, and what each evaluation found.

    Args:
        folder: of the run folders.
        experiments: name of a run folder -> its settings.
        seed: of all of them; of several seeds each is trained with each, in
            a folder of seeds.
        data_dir: TFDS's data_dir; TFDS's default if None.
        num_tasks: the number of tasks of the last evaluation of each, at
            least 2.
        kept: where `keep_finished` will copy them, as there.
        **training: arguments of `Run.train`.

    Returns:
        The number of the signal that stopped it, None at the end.

    Raises:
        ValueError: a setting is impossible, or contradicts what there is.
    """
    folder = local("run_dir", folder)
    kept = folder if kept is None else local("keep", kept)
    for name, preset in experiments.items():  # before the first is trained
        build.require_possible(preset)
        if isinstance(seed, int):
            seeds_file.require_none(folder / name)
        else:
            seeds_file.chosen(folder / name, seed)
        if kept != folder:
            several = not isinstance(seed, int)
            archive.require_place(kept / name, several, "--keep")
    for name, preset in experiments.items():
        path = folder / name
        print(f"{path}:", flush=True)
        if not isinstance(seed, int):
            signal = seed_runs.train(
                path, preset, seed, data_dir, goes_on=True, **training
            )
            if signal is not None:
                return signal
            found = seed_runs.evaluate(path, num_tasks, seed, data_dir)
            print(f"Means over the seeds {seeds_file.told(seed)}:")
            print("\n".join(seed_scores.table(found)), flush=True)
            continue
        run = Run(path, preset, seed, data_dir)
        run.train(**training)
        if run.signal is not None:
            return run.signal
        known = seed_runs.evaluated(run, num_tasks)
        print(score.table(known or run.evaluate(num_tasks)), flush=True)
    return None


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
        if kept == folder:
            continue
        means = folder / name / seed_scores.file_of("test")
        if means in seed_scores.of_all_seeds(folder / name):
            archive.keep_seeds(folder / name, kept / name)
        elif (folder / name / "evaluation.json").exists():
            archive.keep(folder / name, kept / name, learner=False)
    return [kept / name for name in names]
