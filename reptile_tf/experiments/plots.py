"""Pictures of trainings and of tasks, drawn from files and answers."""

import io
import os
import pathlib
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reptile_tf.data.task import Task
from reptile_tf.experiments import config_file, seeds_file
from reptile_tf.experiments.build import example_gradients
from reptile_tf.experiments.epoch_log import read_history
from reptile_tf.experiments.preset import of_config
from reptile_tf.training.settings import EVALUATION_MODES
from reptile_tf.utils.extras import extra
from reptile_tf.utils.files import whole_file

with extra("plots"):
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import (
        LogLocator,
        MaxNLocator,
        NullFormatter,
        PercentFormatter,
    )

_Path = str | os.PathLike


def learning_curve(history: _Path, path: _Path) -> None:
    """Draws the loss, and the metric along the way of each mode.

    Args:
        history: path of a run's history.csv, beside its config.json.
        path: of the picture, a PNG.
    """
    columns = _columns(history)
    if "loss" not in columns:
        raise ValueError(
            f"{history} holds no epoch to draw; train the run to its end first"
        )
    settings = config_file.read(pathlib.Path(history).with_name("config.json"))
    made = _iterations(settings, columns["epoch"])
    figure, (left, right) = subplots(1, 2, figsize=(9.5, 3.5))
    left.plot(made, columns["loss"], ".-")
    left.set(title="Inner loss, training tasks", ylabel="loss")
    prefix = _prefix(columns)
    for mode in EVALUATION_MODES:
        if f"{prefix}_{mode}_ci95" not in columns:
            continue
        metric = _metric_of(mode, prefix, columns)
        value = columns[f"{prefix}_{mode}_{metric}"]
        ci95 = columns[f"{prefix}_{mode}_ci95"]
        [line] = right.plot(made, value, label=mode)
        right.fill_between(
            made, value - ci95, value + ci95, color=line.get_color(), alpha=0.15
        )
        right.set_ylabel(metric.replace("_", " "))
        if "accuracy" in metric:
            right.yaxis.set_major_formatter(PercentFormatter(1))
    if "accuracy" in right.get_ylabel():
        right.set_ylim(top=1)
    # Until version 0.2 the accuracies along the way were of test classes.
    measured_on = settings.get("along_the_way", "test classes")
    right.set(title=f"Tasks of {measured_on}, 95% intervals")
    for axis in (left, right):
        axis.set_xlabel("outer iteration")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.grid(alpha=0.3)
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    write_figure(figure, path)


def _iterations(config: Mapping[str, Any], epochs: np.ndarray) -> np.ndarray:
    """Returns the outer iterations that were made after each epoch."""
    total = config["outer_iterations"]
    # Runs of version 0.1 may not say how long their epochs were.
    length = config.get("eval_every", -(-total // len(epochs)))
    return np.minimum((epochs + 1) * length, total)


def _prefix(columns: Mapping[str, np.ndarray]) -> str:
    """Returns what columns of accuracies along the way begin with."""
    return (
        "val" if any(name.startswith("val_") for name in columns) else "train"
    )


def _metric_of(
    mode: str, prefix: str, columns: Mapping[str, np.ndarray]
) -> str:
    """Returns the metric's name, told from columns of the like of val_*."""
    start = f"{prefix}_{mode}_"
    for name in columns:
        rest = name.removeprefix(start)
        # Another mode's name may go on where this one's ends.
        if rest not in (name, "ci95") and not rest.startswith("and_"):
            return rest
    raise ValueError(f"the history has no metric of mode {mode!r}")


def compared_errors(
    runs: Iterable[pathlib.Path],
    path: _Path,
    by_example_gradients: bool = False,
) -> None:
    """Draws the error of several runs along their training.

    Args:
        runs: run folders (paths), named in the legend; those that are not
            there yet, or have no history, are left out. Of a folder of seeds
            the mean is drawn, and the range of its runs.
        path: of the picture, a PNG.
        by_example_gradients: whether training is measured in these, and not in
            outer iterations.
    """
    modes = ("transductive", "support_and_query")
    figure, axes = subplots(1, len(modes), figsize=(11, 4.5), sharey=True)
    shades, measured_on = matplotlib.colormaps["tab10"], set()
    for i, run in enumerate(runs):
        folders = seeds_file.run_folders(run)
        columns = _columns_of_all(folders)
        if not columns:
            continue
        config = config_file.read(folders[0] / "config.json")
        measured_on.add(config.get("along_the_way", "test classes"))
        made = _iterations(config, columns["epoch"][0])
        if by_example_gradients:
            made *= example_gradients(of_config(config))
        for axis, mode in zip(axes, modes, strict=True):
            # On a logarithmic scale the good ones can be told apart.
            errors = 1 - columns[f"{_prefix(columns)}_{mode}_accuracy"]
            mean = errors.mean(0)
            mean[mean <= 0] = np.nan
            axis.semilogy(made, mean, color=shades(i), label=run.name)
            ends = errors.min(0), errors.max(0)
            axis.fill_between(
                made, *ends, color=shades(i), alpha=0.15, linewidth=0
            )
    unit = "gradients of an example's loss" if by_example_gradients else None
    for axis, mode in zip(axes, modes, strict=True):
        axis.set(title=mode, xlabel=unit or "outer iteration")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.grid(alpha=0.3)
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        axis.yaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel(f"error on {' or '.join(sorted(measured_on))}")
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    write_figure(figure, path)


def few_shot_task(
    task: Task,
    probabilities: np.ndarray,
    names: Sequence[str],
    path: _Path,
) -> None:
    """Draws one classification task: what was seen, asked and answered.

    Args:
        task: a `Task` of images.
        probabilities: `[Q, N]`, of the classes for each query.
        names: of the N classes, in label order.
        path: of the picture, a PNG.
    """
    ways = probabilities.shape[1]
    labels, truth = np.asarray(task.support_y), np.asarray(task.query_y)
    shots = np.bincount(labels, minlength=ways).max()
    columns = shots + 1
    figure, axes = subplots(
        ways,
        columns,
        figsize=(1.1 * columns + 1.6, 1.25 * ways + 0.5),
    )
    for axis in axes.flat:
        axis.axis("off")
    for label in range(ways):
        for axis, i in zip(
            axes[label], np.flatnonzero(labels == label), strict=False
        ):
            _image(axis, task.support_x[i])
        axes[label, 0].set_title(
            f"{label}: {textwrap.shorten(names[label], 40)}",
            fontsize=8,
            loc="left",
        )
        query = np.flatnonzero(truth == label)[0]
        predicted = int(np.argmax(probabilities[query]))
        axis = axes[label, shots]
        _image(axis, task.query_x[query])
        axis.set_title(
            f"answer: {predicted} ({probabilities[query, predicted]:.0%})",
            fontsize=8,
            color="tab:green" if predicted == label else "tab:red",
        )
    figure.suptitle("Support images and, on the right, one query of each class")
    write_figure(figure, path)


def sine_wave(
    task: Task, predictions: Mapping[str, Mapping[int, Any]], path: _Path
) -> None:
    """Draws a wave, its seen points, and predictions after inner steps.

    Args:
        task: a sine `Task`.
        predictions: for each initialization, by name, the predictions at
            query_x after each number of inner steps.
        path: of the picture, a PNG.
    """
    figure, axes = subplots(
        1,
        len(predictions),
        figsize=(1 + 3.2 * len(predictions), 4),
        sharey=True,
        squeeze=False,
    )
    for axis, (name, by_steps) in zip(
        axes[0], predictions.items(), strict=True
    ):
        axis.plot(task.query_x, task.query_y, "k--", label="true wave")
        axis.plot(task.support_x, task.support_y, "k^", label="points seen")
        shades = matplotlib.colormaps["viridis"](
            np.linspace(0.9, 0.1, len(by_steps))
        )
        for (steps, y), shade in zip(by_steps.items(), shades, strict=True):
            axis.plot(task.query_x, y, color=shade, label=f"{steps} steps")
        axis.set(title=name, xlabel="x")
    axes[0, 0].set_ylabel("y")
    axes[0, -1].legend(
        fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5)
    )
    write_figure(figure, path)


def _columns_of_all(
    folders: Sequence[pathlib.Path],
) -> dict[str, np.ndarray]:
    """Returns the columns of runs, `[run, epoch]`, as far as all have come."""
    histories = [folder / "history.csv" for folder in folders]
    found = [_columns(path) for path in histories if path.exists()]
    if len(found) < len(folders) or not all(found):
        return {}
    epochs = min(len(columns["epoch"]) for columns in found)
    return {
        name: np.stack([columns[name][:epochs] for columns in found])
        for name in found[0]
    }


def _columns(history: _Path) -> dict[str, np.ndarray]:
    names, lines = read_history(history)
    if not lines:
        return {}
    columns = zip(*lines, strict=True)
    return {
        name: np.array(list(map(_number, cells)))
        for name, cells in zip(names, columns, strict=True)
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # CSVLogger writes NA where an epoch has no value
        return np.nan


def _image(axis: Axes, image: Any) -> None:
    image = np.asarray(image)
    image = image[..., 0] if image.shape[-1] == 1 else image
    axis.imshow(image, cmap="gray", vmin=0, vmax=1)


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    figsize: tuple[float, float],
    **settings: Any,
) -> tuple[Figure, Any]:
    """Returns a new figure and its axes, as `matplotlib.pyplot.subplots` does.

    Nothing is shown on a screen: pyplot would choose a backend for the whole
    process, and inline figures would vanish from the user's notebook.

    Args:
        rows: of axes.
        columns: of axes.
        figsize: width and height, in inches.
        **settings: of `Figure.subplots`.
    """
    figure = Figure(figsize=figsize, layout="tight")
    return figure, figure.subplots(rows, columns, **settings)


def write_figure(figure: Figure, path: _Path) -> None:
    """Writes a figure as a PNG, whole or not at all."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    with whole_file(path) as part:
        part.write_bytes(buffer.getvalue())
