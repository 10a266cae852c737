"""What the meta-learner refuses before it does any work."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reptile_tf.algorithms import Algorithm
from reptile_tf.algorithms.optimizers import InnerOptimizer
from reptile_tf.data.task import Task, Tasks
from reptile_tf.models.functional import output_shape
from reptile_tf.training.settings import Settings


def require_parts(algorithm: Any, inner_optimizer: Any) -> None:
    """Refuses what is no algorithm, or no inner optimizer.

    Args:
        algorithm: that was given, or that its name was of.
        inner_optimizer: that was given.

    Raises:
        ValueError: names the argument and what would do.
    """
    if not isinstance(algorithm, Algorithm):
        raise ValueError(
            "algorithm must be a name, or an instance of "
            f"reptile_tf.Algorithm; received {algorithm!r}"
        )
    # A class has the functions too, but not what it is made with.
    made = not isinstance(inner_optimizer, type)
    if not made or not isinstance(inner_optimizer, InnerOptimizer):
        raise ValueError(
            "inner_optimizer must be a reptile_tf.Adam or reptile_tf.SGD, or "
            "an object with functions init and update; received "
            f"{inner_optimizer!r}"
        )


def require_fit(model: keras.Model, tasks: Tasks) -> None:
    """Refuses tasks that the model does not fit.

    Args:
        model: the model that is to learn.
        tasks: the distribution it is to learn from.
    """
    inputs = _example(tasks).support_x.shape[1:]
    require_inputs(model, inputs, "tasks")
    ways = getattr(tasks, "ways", None)
    outputs = output_shape(model, inputs)[-1]
    if ways is not None and outputs != ways:
        raise ValueError(
            f"model {model.name!r} has {outputs} outputs, but tasks have "
            f"ways={ways}; its last layer must have {ways} units"
        )


def require_examples(
    tasks: Tasks, algorithm: Algorithm, settings: Settings
) -> None:
    """Refuses tasks without the examples that a training on them takes.

    Args:
        tasks: the distribution to learn from.
        algorithm: that learns from it.
        settings: the learner's.
    """
    size = _example(tasks).support_x.shape[0]
    if getattr(tasks, "varied", False):
        require_any_size(algorithm, settings)
    else:
        algorithm.require_examples(
            size, settings.inner_steps, settings.inner_batch_size
        )
    if algorithm.needs_query:
        require_queries(tasks, "tasks", f"algorithm={algorithm}")


def require_any_size(algorithm: Algorithm, settings: Settings) -> None:
    """Refuses an algorithm that support sets of any size would not do for.

    A mini-batch that is larger than a support set holds examples more than
    once; some algorithms need mini-batches that share none.

    Args:
        algorithm: that is to learn.
        settings: the learner's.
    """
    size = settings.inner_batch_size
    try:
        algorithm.require_examples(size, settings.inner_steps, size)
    except ValueError as error:
        raise ValueError(
            f"algorithm={algorithm} needs mini-batches that share no example, "
            "for which support sets of varying size may be too small; use "
            "another algorithm, or tasks of one size"
        ) from error


def require_queries(
    tasks: Tasks, name: str, whose: str = "an evaluation"
) -> None:
    """Refuses tasks with empty query sets.

    Args:
        tasks: the distribution.
        name: of the argument that holds it.
        whose: what needs the queries.
    """
    if not _example(tasks).query_x.shape[0]:
        raise ValueError(
            f"{name} have no query examples, which {whose} needs; give them "
            "query_shots of at least 1"
        )


def _example(tasks: Tasks) -> Task:
    return tasks.sample(tf.constant(0, tf.int64))


def require_inputs(
    model: keras.Model, shape: Sequence[int], whose: str
) -> None:
    """Refuses inputs whose shape, without the batch, is not the model's."""
    # A subclassed model may not say what it takes.
    expected = getattr(model, "input_shape", (None, *shape))[1:]
    if not tf.TensorShape(shape).is_compatible_with(expected):
        raise ValueError(
            f"{whose} must have inputs of shape {list(expected)}, which model "
            f"{model.name!r} takes; received {list(shape)}"
        )


def targets(
    model: keras.Model, x: tf.Tensor, y: npt.ArrayLike, dtype: tf.DType
) -> tf.Tensor:
    """Returns y as a tensor; refuses what cannot be learned from.

    Args:
        model: the model that is to learn.
        x: examples, `[S, ...]`.
        y: integer labels `[S]`, or targets `[S, outputs]`.
        dtype: of targets that are not labels.
    """
    y = np.asarray(y)
    if len(x) != len(y) or not len(y):
        raise ValueError(
            "x and y must have the same length, at least 1; received "
            f"{len(x)} and {len(y)}"
        )
    if not np.issubdtype(y.dtype, np.integer) or y.ndim > 1:
        return tf.constant(y, dtype)
    outputs = output_shape(model, x.shape[1:])[-1]
    if y.min() < 0 or y.max() >= outputs:
        raise ValueError(
            f"labels must be 0 to {outputs - 1}, for the {outputs} outputs of "
            f"model {model.name!r}; received {y.min()} to {y.max()}"
        )
    return tf.constant(y, tf.int32)
