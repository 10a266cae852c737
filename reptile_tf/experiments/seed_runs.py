"""Runs that differ by their seeds alone: trained, and evaluated, as one.

The folder holds seeds.json, which names the seeds, and a run folder for each.
`evaluate` writes evaluation_of_seeds.json where all are evaluated.
"""

import functools
import gc
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.experiments import (
    build,
    run_settings,
    seed_scores,
    seeds_file,
)
from reptile_tf.experiments.preset import Preset
from reptile_tf.experiments.run import Run, evaluation_file
from reptile_tf.training import checkpoints, evaluation_modes
from reptile_tf.training.distribution import Distribution
from reptile_tf.training.score import Score, read_entries
from reptile_tf.utils.files import write_json
from reptile_tf.utils.paths import local

_Path = str | os.PathLike


def train(
    folder: _Path,
    preset: Preset,
    seeds: Sequence[int],
    data_dir: _Path | None = None,
    eval_every: int | None = None,
    num_validation_tasks: int | None = None,
    strategy: tf.distribute.Strategy | None = None,
    goes_on: bool = False,
    **training: Any,
) -> int | None:
    """Trains a run for each seed, one after another, as far as there is none.

    Each is the run that `Run.train` makes of its seed. Where one diverges the
    others are trained all the same.

    Args:
        folder: of the run folders.
        preset: the experiment.
        seeds: of the runs, all that the folder holds among them.
        data_dir: TFDS's data_dir; TFDS's default if None.
        eval_every: as of `Run.train`; that of the runs there if None.
        num_validation_tasks: likewise.
        strategy: as of `Run.train`.
        goes_on: whether more than these seeds is to be done, which a signal
            in the last iteration stops, too.
        **training: more arguments of `Run.train`.

    Returns:
        The number of the signal that stopped it, None at the end.

    Raises:
        ValueError: a setting is impossible, or contradicts what the folder
            holds.
        FloatingPointError: seeds diverged; names them.
    """
    folder = local("run_dir", folder)
    seeds_file.chosen(folder, seeds)
    leads = not Distribution(strategy).worker

    def run_of(seed: int) -> Run:
        path = seeds_file.run_folder(folder, seed)
        return Run(path, preset, seed, data_dir)

    along: tuple = eval_every, num_validation_tasks
    if leads:
        along = _checked(folder, list(map(run_of, seeds)), *along)

    def claim(logs: dict | None = None) -> None:
        if leads:
            seeds_file.write(folder, seeds)

    begins = keras.callbacks.LambdaCallback(on_train_begin=claim)
    diverged = {}
    for number, seed in enumerate(seeds, 1):
        run = run_of(seed)
        gc.collect()  # the learner before, which refers to itself
        if leads:
            print(f"Seed {seed} ({number} of {len(seeds)}){_told(run)}")
        stopped = None
        try:
            stopped = run.train(
                eval_every=along[0],
                num_validation_tasks=along[1],
                callbacks=[begins],
                strategy=strategy,
                **training,
            )
        except FloatingPointError as error:
            diverged[seed] = str(error)
        if goes_on or number < len(seeds):
            stopped = run.signal
        if stopped is not None:
            if leads and diverged:
                print(_of_diverged(diverged, seeds))
            return stopped
    if diverged:
        raise FloatingPointError(_of_diverged(diverged, seeds))
    claim()  # also where all of them were trained one by one
    return None


def _of_diverged(diverged: dict[int, str], seeds: Sequence[int]) -> str:
    told = "; ".join(f"seed {seed}: {e}" for seed, e in diverged.items())
    return f"{len(diverged)} of {len(seeds)} seeds diverged: {told}"


def _checked(
    folder: pathlib.Path,
    runs: Sequence[Run],
    eval_every: int | None,
    num_validation_tasks: int | None,
) -> tuple[int | None, int | None]:
    """Refuses what any of the runs would, before the first is trained.

    Returns:
        How often, and on how many tasks, all are evaluated along the way.
    """
    run_settings.require_of_runs(folder)
    build.require_possible(runs[0].preset)
    there = [run_settings.held(run.folder) for run in runs]
    first = next(filter(None, there), {})
    along = (
        eval_every or first.get("eval_every"),
        num_validation_tasks or first.get("num_validation_tasks"),
    )
    for run in runs:
        run.checked(*along)
    return along


def _told(run: Run) -> str:
    made = checkpoints.newest_iteration(run.folder / "checkpoints")
    ended = made >= run.preset.outer_iterations
    return f" is trained: {run.folder}" if ended else f": {run.folder}"


def evaluate(
    folder: _Path,
    num_tasks: int,
    seeds: Sequence[int] | None = None,
    data_dir: _Path | None = None,
    modes: Sequence[str] | None = None,
    split: str = "test",
    show: Callable[[Run, list[Score]], None] = lambda run, scores: None,
    strategy: tf.distribute.Strategy | None = None,
) -> list[dict[str, Any]]:
    """Evaluates the runs of a folder of seeds, each on test tasks of its own.

    Each gets the file that `Run.evaluate` writes, and the folder one of the
    means if they are of all its seeds. A run that was evaluated so is not
    evaluated again.

    Args:
        folder: that `train` wrote.
        num_tasks: the number of tasks of each seed, at least 2.
        seeds: to evaluate; all of the folder if None.
        data_dir: as of `Run.open`.
        modes: as of `Run.evaluate`.
        split: as of `Run.evaluate`.
        show: called with each run and its scores.
        strategy: as of `Run.evaluate`.

    Returns:
        What `reptile_tf.experiments.seed_scores.summary` says of them.

    Raises:
        ValueError: the folder does not hold these seeds, or they are not
            trained equally far.
    """
    folder = local("run_dir", folder)
    distribution = Distribution(strategy)
    paths = _trained_alike(folder, seeds)
    for path in paths:
        run = Run.open(path, data_dir)
        gc.collect()  # the learner before, which refers to itself
        known = evaluated(run, num_tasks, modes, split)
        if not distribution.worker:
            told = f"Evaluating seed {run.seed}"
            if known:
                told = f"Seed {run.seed} was evaluated before"
            print(f"{told}: {path}")
        if distribution.largest(not known):
            run.evaluate(
                num_tasks,
                modes,
                split=split,
                show=functools.partial(show, run),
                strategy=strategy,
            )
        elif not distribution.worker:
            show(run, known)
    if distribution.worker:
        return []
    name = evaluation_file(split)
    found = seed_scores.summary([read_entries(path / name) for path in paths])
    if set(found[0]["seeds"]) == {*seeds_file.held(folder)}:
        write_json(folder / seed_scores.file_of(split), found)
    return found


def _trained_alike(
    folder: pathlib.Path, seeds: Sequence[int] | None
) -> list[pathlib.Path]:
    """Returns the run folders of seeds; refuses them if they differ."""
    held = seeds_file.held(folder)
    seeds = held if seeds is None else seeds
    strange = [seed for seed in seeds if seed not in held]
    if strange:
        there = f"the seeds {seeds_file.told(held)}" if held else "no seeds"
        raise ValueError(
            f"seeds={seeds_file.told(strange)} is not in run_dir={folder}, "
            f"which holds {there}"
        )
    paths = [seeds_file.run_folder(folder, seed) for seed in seeds]
    made = {
        seed: checkpoints.newest_iteration(path / "checkpoints")
        for seed, path in zip(seeds, paths, strict=True)
    }
    if len(set(made.values())) > 1 or not all(made.values()):
        far = ", ".join(f"{n:,} of seed {seed}" for seed, n in made.items())
        raise ValueError(
            f"the seeds of run_dir={folder} are not trained equally far, by "
            f"outer iterations: {far}; give --seeds those that are, or go on "
            f"with reptile-tf train --run_dir={folder}"
        )
    return paths


def evaluated(
    run: Run,
    num_tasks: int,
    modes: Sequence[str] | None = None,
    split: str = "test",
) -> list[Score]:
    """Returns the scores that an evaluation like this has written; or none.

    It was of the newest learner, which is older.

    Args:
        run: that is trained.
        num_tasks: as of `Run.evaluate`.
        modes: likewise.
        split: likewise.
    """
    path = run.folder / evaluation_file(split)
    if not path.exists():
        return []
    learner = run.learner()
    saved = (run.folder / "checkpoints").iterdir()
    if path.stat().st_mtime < max(each.stat().st_mtime for each in saved):
        return []
    entries = read_entries(path)
    found = [
        (entry["mode"], entry["num_tasks"], entry.get("outer_iterations"))
        for entry in entries
    ]
    wanted = [
        (mode, num_tasks, learner.iteration)
        for mode in evaluation_modes.chosen(modes, learner.functional)
    ]
    return list(map(Score.of_dict, entries)) if found == wanted else []
