"""Which pictures there are of a run, and of several beside one another."""

import pathlib
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from reptile_tf.experiments import (
    figure_style,
    plots,
    seed_scores,
    seeds_file,
    seeds_plot,
    words,
)
from reptile_tf.experiments.config_file import NAME as CONFIG
from reptile_tf.experiments.epoch_log import NAME as HISTORY
from reptile_tf.experiments.epoch_log import has_epochs
from reptile_tf.experiments.run import evaluation_file
from reptile_tf.training.score import read_entries


def folders_of(given: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Returns each folder once, and instead of a folder of run folders these.

    Args:
        given: folders, of runs or not, and perhaps files among them, as the
            `runs/*` of a shell has.
    """
    found: dict[pathlib.Path, None] = {}
    for folder in given:
        within = sorted(filter(_is_run, folder.glob("*/")))
        own = _is_run(folder) or not within
        found |= dict.fromkeys([folder] if own else within)
    return list(found)


def _is_run(folder: pathlib.Path) -> bool:
    return (folder / CONFIG).exists() or bool(seeds_file.held(folder))


def _begun(folder: pathlib.Path) -> bool:
    return all(map(has_epochs, seeds_file.run_folders(folder)))


def of_seeds(
    folder: pathlib.Path,
    output: pathlib.Path | None = None,
    kind: str = "png",
    width: float = figure_style.COLUMN,
) -> list[pathlib.Path]:
    """Draws each evaluation of all seeds of a folder; returns the pictures.

    Args:
        folder: the folder.
        output: the folder of the pictures; the folder itself if None.
        kind: of the files, one of `figure_style.FORMATS`.
        width: of the pictures, in inches.
    """
    return [
        of_means(path, output, kind, width)
        for path in seed_scores.of_all_seeds(folder)
    ]


def of_means(
    path: pathlib.Path,
    output: pathlib.Path | None = None,
    kind: str = "png",
    width: float = figure_style.COLUMN,
) -> pathlib.Path:
    """Draws an evaluation of several seeds; returns the picture.

    Args:
        path: of the evaluation.
        output: the folder of the picture; that of the evaluation if None.
        kind: as of `of_seeds`.
        width: likewise.
    """
    name = path.stem.replace("evaluation_of_seeds", "seeds")
    picture = (output or path.parent) / f"{name}.{kind}"
    seeds_plot.draw(seed_scores.read(path), picture, width)
    return picture


def of_one(
    folder: pathlib.Path,
    output: pathlib.Path,
    kind: str = "png",
    width: float = figure_style.COLUMN,
    task: int | None = None,
) -> tuple[list[pathlib.Path], list[str]]:
    """Draws a run's learning curve, and a task if asked; or a folder of seeds.

    Args:
        folder: of the run.
        output: the folder of the pictures.
        kind: of the files, one of `figure_style.FORMATS`.
        width: of the pictures, in inches.
        task: the number of a test task, of a run.

    Returns:
        As of `of_several`.

    Raises:
        ValueError: the folder holds nothing to draw, or no run whose task
            could be drawn.
    """
    if task is not None:
        seeds_file.require_none(folder)
    if seeds_file.held(folder):
        drawn = of_seeds(folder, output, kind, width)
        runs = seeds_file.run_folders(folder)
        others, left_out = of_several(runs, output, kind, width)
        return drawn + others, left_out
    if not (folder / HISTORY).exists():
        raise ValueError(
            f"run_dir={folder} holds neither a run with a {HISTORY} nor a "
            "search with a search.jsonl"
        )
    drawn = [output / f"learning_curve.{kind}"]
    plots.learning_curve(folder / HISTORY, drawn[0], width)
    if task is not None:
        from reptile_tf.experiments import task_plots

        drawn.append(output / f"task.{kind}")
        task_plots.draw(folder, task, drawn[-1], width)
    return drawn, []


def of_several(
    folders: Sequence[pathlib.Path],
    output: pathlib.Path,
    kind: str = "png",
    width: float = figure_style.COLUMN,
    names: Sequence[str] | None = None,
) -> tuple[list[pathlib.Path], list[str]]:
    """Draws runs beside one another: along the way, and as evaluated.

    Args:
        folders: of the runs.
        output: the folder of the pictures.
        kind: of the files, one of `figure_style.FORMATS`.
        width: of the pictures, in inches.
        names: of the runs; what tells them apart if None.

    Returns:
        The pictures, and a line for each folder that is left out of one.

    Raises:
        ValueError: there are not as many names, or nothing to draw.
    """
    if names and len({*names}) != len(folders):
        raise ValueError(
            f"name={', '.join(names)} must be one name for each run, all "
            f"different; there are {len(folders)} runs"
        )
    runs = [folder for folder in folders if _is_run(folder)]
    if not runs:
        told = ", ".join(map(str, folders))
        raise ValueError(f"run_dir={told} holds no run")
    left_out = [
        f"Left out {folder}, which is no run."
        for folder in folders
        if folder not in runs
    ]
    called = dict(zip(folders, names, strict=True)) if names else {}
    called = called or dict(zip(runs, words.runs(runs), strict=True))
    drawn = []
    if begun := {called[run]: run for run in runs if _begun(run)}:
        drawn.append(output / f"learning_curves.{kind}")
        plots.learning_curves(begun, drawn[-1], width=width)
    found = {called[run]: _evaluations(run) for run in runs}
    if evaluated := {name: each for name, each in found.items() if each}:
        drawn.append(output / f"comparison.{kind}")
        plots.comparison(evaluated, drawn[-1], width)
    for run in runs:
        if called[run] not in begun:
            left_out.append(f"Left out {run} along the way: it has no epoch.")
        if called[run] not in evaluated:
            left_out.append(
                f"Left out {run} of the comparison, until it is evaluated: "
                f"reptile-tf evaluate --run_dir={shlex.quote(str(run))}"
            )
    return drawn, left_out


def _evaluations(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Returns what was found on test tasks, of seeds with that over seeds."""
    if seeds_file.held(folder):
        path = folder / seed_scores.file_of("test")
        current = path in seed_scores.of_all_seeds(folder)
        entries = seed_scores.read(path) if current else []
        return [each | {"ci95": _interval(each)} for each in entries]
    path = folder / evaluation_file("test")
    return read_entries(path) if path.exists() else []


def _interval(of_seeds: dict[str, Any]) -> float:
    over_seeds = of_seeds["ci95_over_seeds"]
    return of_seeds["ci95_over_tasks"] if over_seeds is None else over_seeds


def curves_together(
    runs: Iterable[pathlib.Path],
    path: pathlib.Path,
    by_example_gradients: bool = False,
) -> None:
    """Draws what runs reached along their training, as far as there is any.

    Args:
        runs: run folders; those that have no epoch yet are left out.
        path: of the picture.
        by_example_gradients: as of `plots.learning_curves`.
    """
    begun = [run for run in runs if _begun(run)]
    if begun:
        named = dict(zip(words.runs(begun), begun, strict=True))
        plots.learning_curves(named, path, by_example_gradients)
