"""The tasks of a meta-batch: one after another, or side by side."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def train_on_tasks(
    train: Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any, dict]],
    state: Any,
    indices: tf.Tensor,
    like: tuple[Any, Any, dict],
    mode: str,
) -> tuple[tf.Tensor, Any, dict]:
    """Trains on the tasks of a meta-batch.

    "serial" is the paper's way: the inner optimizer's state runs through the
    tasks in their order (section 5.1: "the order matters because of Adam,
    which we did not reset after every task in the meta-batch").

    "parallel" differs from it in that no task sees the moments of the tasks
    before it in the meta-batch: each goes on from the moments of the meta-batch
    before, and the mean of the resulting moments is carried on. Adam's step
    count so grows by a task's steps in an outer iteration, not by n times as
    many. With SGD, which has no state, the two are the same.

    Args:
        train: (index, state) -> (meta-gradient, state, report), the training
            on a task.
        state: the inner optimizer's state before the meta-batch.
        indices: int64 `[n]`, the tasks.
        like: what `train` returns, as tensors or `tf.TensorSpec`s.
        mode: "serial" or "parallel".

    Returns:
        (mean meta-gradient, state to go on with, reports stacked `[n, ...]`).
    """
    n = indices.shape[0]
    start, serial = state, mode == "serial"
    vector, _, report = like
    total = tf.zeros(vector.shape, vector.dtype)
    if not serial:
        state = tf.nest.map_structure(tf.zeros_like, state)
    reports = tf.nest.map_structure(
        lambda s: tf.TensorArray(s.dtype, n, element_shape=s.shape), report
    )

    def step(i, total, state, reports):
        vector, after, report = train(indices[i], state if serial else start)
        if not serial:
            after = tf.nest.map_structure(tf.add, state, after)
        reports = tf.nest.map_structure(
            lambda array, value: array.write(i, value), reports, report
        )
        return i + 1, total + vector, after, reports

    # TensorFlow starts an operation of any task once its inputs are there: in
    # parallel mode that is at once; in serial mode a task's first gradient,
    # which needs phi alone, is made beside the task before.
    _, total, state, reports = tf.while_loop(
        lambda i, *_: i < n,
        step,
        (0, total, state, reports),
        parallel_iterations=n,
    )
    if not serial:
        state = tf.nest.map_structure(
            lambda s: s // n if s.dtype.is_integer else s / n, state
        )
    reports = tf.nest.map_structure(lambda array: array.stack(), reports)
    return total / n, state, reports
