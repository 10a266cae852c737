"""Pictures of trainings, drawn from run folders and results."""

import os
import pathlib
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reptile_tf.experiments import (
    config_file,
    curves,
    figure_style,
    seeds_file,
    words,
)
from reptile_tf.experiments.build import example_gradients
from reptile_tf.experiments.preset import of_config
from reptile_tf.experiments.seed_scores import metric_of
from reptile_tf.training.settings import EVALUATION_MODES
from reptile_tf.utils.extras import extra

with extra("plots"):
    from matplotlib.axes import Axes
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

_Path = str | os.PathLike
_NONE = 1e-6  # stands for an error of 0 on a logarithmic scale
_WITH_BANDS = 4  # more lines than these, and their intervals hide each other


def learning_curve(
    history: _Path, path: _Path, width: float = figure_style.COLUMN
) -> None:
    """Draws a run's loss, and the metric along the way of each mode.

    Args:
        history: path of a run's history.csv, beside its config.json.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.
    """
    run = curves.read(history)
    with figure_style.figure(path, 2 if run.metric else 1, width=width) as axes:
        axes[0].plot(run.made, run.loss, "k.-", markersize=2)
        figure_style.title(axes[0], "Inner loss on training tasks")
        axes[0].set_ylabel("loss")
        if run.metric:
            _metric_along_the_way(axes[1], run)
        for axis in axes:
            figure_style.counted(axis, "outer iteration")
        figure_style.legend(axes)


def _metric_along_the_way(axis: Axes, run: curves.Curves) -> None:
    for i, (mode, values) in enumerate(run.values.items()):
        look = figure_style.line(i, len(run.made))
        axis.plot(run.made, values, **look, label=words.spoken(mode))
        low, high = figure_style.ends(values, run.ci95[mode], run.metric)
        figure_style.band(axis, run.made, low, high, look["color"])
    axis.set_ylabel(words.spoken(run.metric))
    if figure_style.is_share(run.metric):
        figure_style.percent(axis)
    figure_style.title(axis, f"{_capital(run.tasks)}, 95% intervals")


def learning_curves(
    runs: Mapping[str, pathlib.Path],
    path: _Path,
    by_example_gradients: bool = False,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws what several runs reached along their training.

    Accuracies are drawn as errors, on a logarithmic scale, where the good ones
    can be told apart; other metrics as they are. Up to four runs have their 95%
    intervals. Of a folder of seeds the mean is drawn, and the range of its
    runs.

    Args:
        runs: name -> run folder with a history.csv, or folder of seeds, at
            least one.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        by_example_gradients: whether training is measured in these, and not in
            outer iterations.
        width: of the picture, in inches.

    Raises:
        ValueError: the runs were not measured alike.
    """
    all_curves = {name: curves.read_all(run) for name, run in runs.items()}
    metric, modes = _shared(all_curves, runs)
    unit = "gradients of an example's loss" if by_example_gradients else None
    with figure_style.figure(path, len(modes), width=width) as axes:
        for i, (name, run) in enumerate(all_curves.items()):
            made = run.made
            if by_example_gradients:
                first = seeds_file.run_folders(runs[name])[0]
                config = config_file.read(first / config_file.NAME)
                made = made * example_gradients(of_config(config))
            look = figure_style.line(i, len(made))
            for axis, mode in zip(axes, modes, strict=True):
                low, high = (run.spread or {}).get(mode) or figure_style.ends(
                    run.values[mode], run.ci95[mode], metric
                )
                values = run.values[mode]
                if figure_style.is_share(metric):
                    values, low, high = map(_error, (values, low, high))
                axis.plot(made, values, **look, label=name)
                if len(runs) <= _WITH_BANDS:
                    figure_style.band(axis, made, low, high, look["color"])
        _lay_out(axes, metric, modes)
        for axis in axes:
            figure_style.counted(axis, unit or "outer iteration")
        tasks = curves.tasks_of(all_curves.values())
        figure_style.legend(axes, f"{tasks}{_bands(all_curves)}")


def _bands(all_curves: Mapping[str, curves.Curves]) -> str:
    """Returns what the legend says of the lines and the bands around them."""
    several = {run.spread is not None for run in all_curves.values()}
    if len(all_curves) > _WITH_BANDS:
        return ", mean of the seeds" if True in several else ""
    if several == {True}:
        return ", mean and range of the seeds"
    mixed = ", or the range of the seeds" if True in several else ""
    return f", 95% intervals{mixed}"


def _error(accuracy: np.ndarray) -> np.ndarray:
    """An error of 0 becomes one below what any scale begins with."""
    return np.maximum(1 - accuracy, _NONE)


def _shared(
    all_curves: Mapping[str, curves.Curves], runs: Mapping[str, pathlib.Path]
) -> tuple[str, list[str]]:
    """Returns the metric and the modes that runs are compared by."""
    metrics = {run.metric: runs[name] for name, run in all_curves.items()}
    if len(metrics) > 1 or "" in metrics:
        told = [f"{run} has {m or 'none'}" for m, run in metrics.items()]
        raise ValueError(
            "runs that are drawn together must have one metric along the way: "
            f"{', '.join(told)}; draw them apart"
        )
    modes = [
        mode
        for mode in EVALUATION_MODES
        if all(mode in run.values for run in all_curves.values())
    ]
    # These two hardly differ, and a column has no room for three panels.
    if len(modes) == len(EVALUATION_MODES):
        modes.remove("support")
    return next(iter(metrics)), modes


def _lay_out(axes: Sequence[Axes], metric: str, modes: Sequence[str]) -> None:
    share = figure_style.is_share(metric)
    for axis, mode in zip(axes, modes, strict=True):
        figure_style.title(axis, f"Mode {words.spoken(mode)}")
        axis.set_ylabel("error" if share else words.spoken(metric))
        if share:
            axis.set_yscale("log")
            axis.yaxis.set_minor_formatter(NullFormatter())
            errors = np.concatenate([line.get_ydata() for line in axis.lines])
            least = np.nanmin([*errors[errors > _NONE], 0.5])
            axis.set_ylim(least / 1.5, min(axis.get_ylim()[1], 1))
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
            if np.any(errors <= _NONE):
                _show_none(axis, least)


def _show_none(axis: Axes, least: float) -> None:
    """Draws errors of 0, which the scale has not, at its lower edge.

    Args:
        axis: with lines of errors.
        least: the least of the other errors.
    """
    edge = least / 3
    axis.set_ylim(edge)
    for line in axis.lines:
        line.set_ydata(np.maximum(line.get_ydata(), edge))
    axis.yaxis.set_major_formatter(
        lambda value, _: f"{100 * value:g}%" if value > 2 * edge else ""
    )
    axis.annotate(
        "0%",
        (0, 0),
        (-axis.yaxis.get_tick_padding() - 3.5, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=axis.yaxis.get_ticklabels()[0].get_fontsize(),
    )


def comparison(
    evaluations: Mapping[str, Sequence[Mapping[str, Any]]],
    path: _Path,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws what evaluations found, beside one another, with 95% intervals.

    Args:
        evaluations: name -> the entries of an evaluation.json, at least one.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.

    Raises:
        ValueError: they are of different metrics.
    """
    found = [each for entries in evaluations.values() for each in entries]
    metrics = sorted({metric_of(each) for each in found})
    if len(metrics) > 1:
        raise ValueError(
            "the runs to compare must have one metric; received "
            f"{' and '.join(metrics)}"
        )
    [metric], counts = metrics, {each["num_tasks"] for each in found}
    modes = [m for m in EVALUATION_MODES if m in {e["mode"] for e in found}]
    height = 0.75 + len(evaluations) * max(0.32, 0.13 * len(modes) + 0.08)
    with figure_style.figure(path, width=width, height=height) as [axis]:
        for i, mode in enumerate(modes):
            _row_of_mode(axis, evaluations, mode, metric, i, len(modes))
        names = [
            _in_lines(name)
            if len(counts) == 1
            else f"{_in_lines(name)}\n{_number_of_tasks(entries)}"
            for name, entries in evaluations.items()
        ]
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.grid(False, axis="y")
        axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        if figure_style.is_share(metric):
            figure_style.percent(axis, "x")
        on = f"{counts.pop():,} " if len(counts) == 1 else ""
        over = {each.get("ci95_over_seeds") is not None for each in found}
        told = " over seeds" if all(over) else " over tasks,\nor over seeds"
        axis.set_xlabel(
            f"{words.spoken(metric)} on {on}test tasks,\n"
            f"95% intervals{told if any(over) else ''}"
        )
        figure_style.legend([axis], "evaluation mode")


def _row_of_mode(
    axis: Axes,
    evaluations: Mapping[str, Sequence[Mapping[str, Any]]],
    mode: str,
    metric: str,
    index: int,
    modes: int,
) -> None:
    """Draws one mode's values, each in the row of its run."""
    places, values, ci95 = [], [], []
    for row, entries in enumerate(evaluations.values()):
        for each in entries:
            if each["mode"] == mode:
                places.append(row + 0.6 * ((index + 0.5) / modes - 0.5))
                values.append(each[metric])
                ci95.append(each["ci95"])
    low, high = figure_style.ends(values, ci95, metric)
    drawn = axis.errorbar(
        values,
        places,
        xerr=[values - low, high - values],
        fmt=figure_style.MARKERS[index],
        color=figure_style.COLORS[index],
        capsize=2,
        linewidth=1,
        label=words.spoken(mode),
    )
    for part in drawn.get_children():
        part.set_clip_on(False)  # as of lines


def _in_lines(name: str, most: int = 20) -> str:
    """Breaks a name into lines, at its commas where that is possible."""
    if max(map(len, name.split(", "))) < most:
        name = name.replace(" ", "\u00a0").replace(",\u00a0", ", ")
    return textwrap.fill(name, most)


def _number_of_tasks(entries: Sequence[Mapping[str, Any]]) -> str:
    counts = sorted({each["num_tasks"] for each in entries})
    return f"{' or '.join(f'{n:,}' for n in counts)} tasks"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
