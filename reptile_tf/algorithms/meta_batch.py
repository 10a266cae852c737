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
    skip: bool = False,
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
            on a task; the report's `finite` says whether they are.
        state: the inner optimizer's state before the meta-batch.
        indices: int64 `[n]`, the tasks.
        like: what `train` returns, as tensors or `tf.TensorSpec`s.
        mode: "serial" or "parallel".
        skip: whether tasks that are not finite are left out of the means, as
            if the meta-batch had not had them. The meta-gradient of none at
            all is 0, and the state as before.

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
        before = state if serial else start
        vector, after, report = train(indices[i], before)
        if not serial:
            after = tf.nest.map_structure(tf.add, state, after)
        total_after = total + vector
        if skip:
            total_after, after = tf.nest.map_structure(
                lambda new, old: tf.where(report["finite"], new, old),
                (total_after, after),
                (total, state),
            )
        reports = tf.nest.map_structure(
            lambda array, value: array.write(i, value), reports, report
        )
        return i + 1, total_after, after, reports

    # TensorFlow starts an operation of any task once its inputs are there: in
    # parallel mode that is at once; in serial mode a task's first gradient,
    # which needs phi alone, is made beside the task before.
    _, total, state, reports = tf.while_loop(
        lambda i, *_: i < n,
        step,
        (0, total, state, reports),
        parallel_iterations=n,
    )
    reports = tf.nest.map_structure(lambda array: array.stack(), reports)
    if not skip:
        return total / n, state if serial else _mean(state, n), reports
    kept = tf.math.count_nonzero(reports["finite"], dtype=tf.int32)
    some = tf.maximum(kept, 1)
    if not serial:
        state = tf.nest.map_structure(
            lambda mean, old: tf.where(kept > 0, mean, old),
            _mean(state, some),
            start,
        )
    return total / tf.cast(some, total.dtype), state, reports


def _mean(state: Any, n: int | tf.Tensor) -> Any:
    """Returns a state of which n were added."""
    return tf.nest.map_structure(
        lambda s: (
            s // tf.cast(n, s.dtype)
            if s.dtype.is_integer
            else s / tf.cast(n, s.dtype)
        ),
        state,
    )
