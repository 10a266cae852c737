"""A validation task as TensorBoard shows it, drawn without matplotlib."""

import os
import textwrap
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from reptile_tf.data.episodes import Episodes
from reptile_tf.data.task import Task, Tasks
from reptile_tf.training.epochs import is_whole
from reptile_tf.training.evaluator import Evaluator

_MOST = 10  # pictures of a training; TensorBoard keeps as many
_CELL, _GAP, _TEXT = 56, 4, 88  # pixels
_RIGHT, _WRONG = (0, 130, 60), (200, 30, 30)


class TaskImage(keras.callbacks.Callback):
    """Draws the first validation task, with the answers of an evaluation.

    Other tasks than those of pictures are not drawn.

    Args:
        folder: for TensorBoard's events.
        tasks: that are evaluated along the way.
        evaluator: that evaluates.
    """

    def __init__(
        self, folder: str | os.PathLike, tasks: Tasks, evaluator: Evaluator
    ):
        super().__init__()
        self._folder, self._evaluator = os.fspath(folder), evaluator
        self._tasks = _of_pictures(tasks)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Draws after some evaluations, the last one included."""
        made, answers = self.params["made"], self._evaluator.answers
        ended = made == self.params["iterations"]
        due = ended or not (epoch + 1) % -(-self.params["epochs"] // _MOST)
        if self._tasks is None or not len(answers):
            return
        if not due or not is_whole(self.params, made):
            return
        task = self._tasks.sample(tf.constant(0, tf.int64))
        picture = draw(task, answers, self._tasks.class_names(0))
        writer = tf.summary.create_file_writer(self._folder)
        with writer.as_default():
            tf.summary.image(
                "validation_task",
                picture[np.newaxis],
                step=made,
                description=(
                    "A row is a class: its support examples, then a query, and "
                    "the class that was answered, by the mode `support`."
                ),
            )
        writer.close()


def _of_pictures(tasks: Tasks) -> Episodes | None:
    """Returns tasks that can be drawn; None instead of others."""
    if not isinstance(tasks, Episodes):
        return None
    shape = tasks.input_shape
    return tasks if len(shape) == 3 and shape[-1] in (1, 3) else None


def draw(task: Task, answers: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Returns a picture of a task, uint8 `[height, width, 3]`.

    Args:
        task: of pictures, with as many support examples of each class.
        answers: `[Q]`, the class that was answered for each query.
        names: of the classes.
    """
    support_y, query_y = np.asarray(task.support_y), np.asarray(task.query_y)
    shots = len(support_y) // len(names)
    step = _CELL + _GAP
    width = 2 * _TEXT + (shots + 1) * step + 3 * _GAP
    canvas = Image.new("RGB", (width, len(names) * step + _GAP), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default()

    def paste(x: int, y: int, pixels: tf.Tensor) -> None:
        canvas.paste(_cell(np.asarray(pixels)), (x, y))

    for label in range(len(names)):
        top = _GAP + label * step
        pen.text((_GAP, top), _told(label, names), "black", font)
        for column, i in enumerate(np.flatnonzero(support_y == label)):
            paste(_TEXT + column * step, top, task.support_x[i])
        query = np.flatnonzero(query_y == label)[0]
        left = _TEXT + shots * step + 3 * _GAP
        paste(left, top, task.query_x[query])
        answer = int(answers[query])  # the network has as many outputs
        color = _RIGHT if answer == label else _WRONG
        pen.text((left + step, top), _told(answer, names), color, font)
    return np.asarray(canvas)


def _cell(pixels: np.ndarray) -> Image.Image:
    """Returns an input, of numbers from 0 to 1, as a picture of a cell."""
    whole = (255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    whole = np.broadcast_to(whole, (*whole.shape[:2], 3))
    return Image.fromarray(whole).resize((_CELL, _CELL), Image.Resampling.BOX)


def _told(label: int, names: Sequence[str]) -> str:
    """Returns a class's number and name, as lines that fit beside a cell."""
    # Fonts without FreeType have these letters alone.
    name = names[label].encode("latin-1", "replace").decode("latin-1")
    return "\n".join([str(label), *textwrap.wrap(name, 14, max_lines=3)])
