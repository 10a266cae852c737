"""Pictures of single tasks: what was seen, asked and answered."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.data.episodes import Episodes
from reptile_tf.data.sine import SineWaves
from reptile_tf.data.task import Task
from reptile_tf.experiments import figure_style, words
from reptile_tf.experiments.run import Run
from reptile_tf.training.learner import MetaLearner
from reptile_tf.utils.extras import extra

with extra("plots"):
    import matplotlib
    from matplotlib.figure import Figure

_Path = str | os.PathLike
_MOST = 8  # support images of a class that are shown
_CELL = 0.55  # the largest image, in inches
_LINE = 0.15  # a line of text, in inches
_MARGIN = 0.04  # beside it, in inches
_WAVE_STEPS = 0, 1, 5, 10, 32


def draw(
    folder: _Path,
    number: int,
    path: _Path,
    width: float = figure_style.COLUMN,
) -> None:
    """Adapts a run's learner to a test task, and draws it.

    Args:
        folder: of a run, or of a result with its learner.
        number: of the test task, from 0.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.

    Raises:
        ValueError: the run has no learner yet, or tasks that are neither of
            images and fixed ways nor sine waves.
    """
    run = Run.open(folder)
    kept = run.folder / "learner.zip"  # where a result has it
    learner = MetaLearner.load(kept) if kept.exists() else run.learner()
    tasks = run.tasks().test
    if isinstance(tasks, SineWaves):
        wave = tasks.sample(tf.constant(number, tf.int64))
        name = words.algorithm(run.preset.algorithm)
        answers = {name: wave_answers(learner, wave, _WAVE_STEPS)}
        sine_wave(wave, answers, path, width)
    elif isinstance(tasks, Episodes) and len(tasks.input_shape) == 3:
        few_shot_task(*answered(tasks, learner, number), path, width)
    else:
        raise ValueError(
            f"run_dir={folder} has tasks of which there is no picture; --task "
            "draws tasks of images with as many ways each, and sine waves"
        )


def answered(
    tasks: Episodes, learner: MetaLearner, number: int
) -> tuple[Task, np.ndarray, list[str]]:
    """Returns a task, what the adapted learner answers, and its classes.

    Args:
        tasks: classification tasks.
        learner: the learner, which stays as it is.
        number: of the task, from 0.

    Returns:
        The task; the probabilities of the classes for each query, `[Q, N]`;
        the names of the N classes, in label order.
    """
    task = tasks.sample(tf.constant(number, tf.int64))
    adapted = learner.adapt(task.support_x, task.support_y)
    logits = adapted.predict(task.query_x, verbose=0)
    return task, tf.nn.softmax(logits).numpy(), tasks.class_names(number)


def wave_answers(
    learner: MetaLearner, wave: Task, steps: Sequence[int]
) -> dict[int, tf.Tensor]:
    """Returns the answers at a wave's queries after numbers of inner steps."""
    seen = wave.support_x, wave.support_y
    return {n: learner.adapt(*seen, steps=n)(wave.query_x) for n in steps}


def few_shot_task(
    task: Task,
    probabilities: np.ndarray,
    names: Sequence[str],
    path: _Path,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws one classification task: what was seen, asked and answered.

    Args:
        task: a `Task` of images.
        probabilities: `[Q, N]`, of the classes for each query.
        names: of the N classes, in label order.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.
    """
    ways = probabilities.shape[1]
    labels, truth = np.asarray(task.support_y), np.asarray(task.query_y)
    shots = int(np.bincount(labels, minlength=ways).max())
    shown = min(shots, _MOST)
    cell = min(_CELL, (width - 2 * _MARGIN) / (shown + 1.3))
    row = cell + 1.5 * _LINE
    height = 2 * _LINE + ways * row
    right = width - _MARGIN
    room = int((width - 1.1) * 16)  # characters, left of the answers
    with figure_style.sheet(path, width, height) as drawn:
        some = f" (the first {shown} of {shots})" if shots > shown else ""
        _write(drawn, _MARGIN, height - _LINE, f"Support set{some}")
        _write(drawn, right, height - _LINE, "Query and answer", "right")
        for label in range(ways):
            bottom = height - 2 * _LINE - (label + 1) * row + 0.3 * _LINE
            above = bottom + cell + 0.2 * _LINE
            name = textwrap.shorten(
                f"{label}: {names[label]}", room, placeholder="…"
            )
            _write(drawn, _MARGIN, above, name)
            for place, i in enumerate(np.flatnonzero(labels == label)[:shown]):
                left = _MARGIN + place * cell
                _image(drawn, task.support_x[i], left, bottom, cell)
            query = np.flatnonzero(truth == label)[0]
            _image(drawn, task.query_x[query], right - cell, bottom, cell)
            told = int(np.argmax(probabilities[query]))
            verdict = "right" if told == label else "WRONG"
            share = f"{probabilities[query, told]:.0%}"
            answer = f"{told} ({share}), {verdict}"
            _write(drawn, right, above, answer, "right")


def _write(
    drawn: Figure, x: float, y: float, text: str, side: str = "left"
) -> None:
    """Writes a line whose one side is at a place, in inches."""
    width, height = drawn.get_size_inches()
    drawn.text(x / width, y / height, text, fontsize=7, ha=side, va="bottom")


def _image(drawn: Figure, image: Any, x: float, y: float, size: float) -> None:
    """Draws an image in a square, whose corner and size are in inches."""
    width, height = drawn.get_size_inches()
    size *= 0.94  # the rest parts it from its neighbour
    axis = drawn.add_axes((x / width, y / height, size / width, size / height))
    axis.axis("off")
    image = np.asarray(image)
    image = image[..., 0] if image.shape[-1] == 1 else image
    axis.imshow(image, cmap="gray", vmin=0, vmax=1)


def sine_wave(
    task: Task,
    predictions: Mapping[str, Mapping[int, Any]],
    path: _Path,
    width: float = figure_style.COLUMN,
) -> None:
    """Draws a wave, its seen points, and predictions after inner steps.

    Args:
        task: a sine `Task`.
        predictions: for each initialization, by name, the predictions at
            query_x after each number of inner steps.
        path: of the picture, of a suffix in `figure_style.FORMATS`.
        width: of the picture, in inches.
    """
    one = len(predictions) == 1
    with figure_style.figure(
        path,
        len(predictions),
        width=width,
        height=1.8 if one else 1.3,
        least=width if one else 1.5,
        sharex=True,
        sharey=True,
    ) as axes:
        for number, (axis, (name, by_steps)) in enumerate(
            zip(axes, predictions.items(), strict=True)
        ):
            axis.plot(
                task.query_x, task.query_y, "k", lw=0.8, label="true wave"
            )
            axis.plot(task.support_x, task.support_y, "k^", label="points seen")
            shades = matplotlib.colormaps["viridis"](
                np.linspace(0.75, 0.05, len(by_steps))
            )
            for i, ((steps, y), shade) in enumerate(
                zip(by_steps.items(), shades, strict=True)
            ):
                look = figure_style.line(i + 1) | {"marker": "", "color": shade}
                axis.plot(task.query_x, y, **look, label=_steps(steps))
            figure_style.title(axis, name)
            axis.set(xlabel="x", ylabel="y")
            axis.label_outer()
            below = number + figure_style.columns_of(axis)
            if below >= len(axes):  # there is none
                axis.set_xlabel("x")
                axis.tick_params("x", labelbottom=True)
        figure_style.legend(axes)


def _steps(number: int) -> str:
    return f"{number} step{'s' * (number != 1)}"
