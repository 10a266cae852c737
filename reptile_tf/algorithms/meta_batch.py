"""The tasks of a meta-batch: one after another, or side by side."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# (meta-gradient, state, report) of a task; with one more axis in front, the
# rows of several.
Given = tuple[tf.Tensor, Any, dict]
Spread = Callable[[Callable[[tf.Tensor], Any], tf.Tensor], Any]


def here(rows_of: Callable[[tf.Tensor], Any], indices: tf.Tensor) -> Any:
    """Returns the rows of tasks, made by this replica alone.

    Args:
        rows_of: int64 `[n]`, the tasks -> a structure of tensors `[n, ...]`.
        indices: the tasks.
    """
    return rows_of(indices)


def train_on_tasks(
    train: Callable[[tf.Tensor, Any], Given],
    state: Any,
    indices: tf.Tensor,
    like: Given,
    mode: str,
    skip: bool = False,
    spread: Spread = here,
    train_in_turn: Callable[[list, Any], list[Given]] | None = None,
) -> Given:
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
        spread: like `here`, which it is by default; of mode "parallel".
        train_in_turn: (indices, state) -> what `train` returns for each of
            the tasks. If given, it is called in place of `train` in mode
            "parallel", and `spread` is not.

    Returns:
        (mean meta-gradient, state to go on with, reports stacked `[n, ...]`).
    """
    n = indices.shape[0]
    like = tf.nest.map_structure(
        lambda t: tf.TensorSpec(t.shape, t.dtype), like
    )
    if mode == "serial":
        return _one_after_another(train, state, indices, like, skip)
    if train_in_turn is not None:
        given = train_in_turn(tf.unstack(indices), state)
        rows = tf.nest.map_structure(lambda *row: tf.stack(row), *given)
    else:
        rows = spread(
            lambda share: tf.map_fn(
                lambda index: train(index, state),
                share,
                fn_output_signature=like,
                parallel_iterations=n,
            ),
            indices,
        )
    return _means(rows, n, state, skip)


def _one_after_another(train, state, indices, like, skip) -> Given:
    """Hands the state from task to task."""
    n = indices.shape[0]
    vector, _, report = like
    reports = tf.nest.map_structure(
        lambda s: tf.TensorArray(s.dtype, n, element_shape=s.shape), report
    )

    def step(i, total, state, reports):
        vector, after, report = train(indices[i], state)
        moved = total + vector, after
        if skip:
            moved = _where(report["finite"], moved, (total, state))
        reports = tf.nest.map_structure(
            lambda array, value: array.write(i, value), reports, report
        )
        return i + 1, *moved, reports

    # TensorFlow starts an operation of any task once its inputs are there: a
    # task's first gradient, which needs phi alone, is made beside the task
    # before.
    _, total, state, reports = tf.while_loop(
        lambda i, *_: i < n,
        step,
        (0, tf.zeros(vector.shape, vector.dtype), state, reports),
        parallel_iterations=n,
    )
    reports = tf.nest.map_structure(lambda array: array.stack(), reports)
    kept = _kept(reports) if skip else n
    return _mean(total, tf.maximum(kept, 1)), state, reports


def _means(rows: Given, n: int, state: Any, skip: bool) -> Given:
    """Returns the means over tasks, summed in the order of the tasks.

    Whoever made the rows, the sums are the same to the last bit.
    """
    vectors, states, reports = rows

    def add(sums, row):
        given, finite = row
        more = tf.nest.map_structure(tf.add, sums, given)
        return _where(finite, more, sums) if skip else more

    sums = tf.foldl(
        add,
        ((vectors, states), reports["finite"]),
        tf.nest.map_structure(
            lambda t: tf.zeros(t.shape[1:], t.dtype), (vectors, states)
        ),
    )
    kept = _kept(reports) if skip else n
    vector, mean = tf.nest.map_structure(
        lambda total: _mean(total, tf.maximum(kept, 1)), sums
    )
    return vector, _where(kept > 0, mean, state) if skip else mean, reports


def _where(condition: tf.Tensor, yes: Any, no: Any) -> Any:
    return tf.nest.map_structure(
        lambda a, b: tf.where(condition, a, b), yes, no
    )


def _kept(reports: dict) -> tf.Tensor:
    return tf.math.count_nonzero(reports["finite"], dtype=tf.int32)


def _mean(total: tf.Tensor, n: tf.Tensor) -> tf.Tensor:
    n = tf.cast(n, total.dtype)
    return total // n if total.dtype.is_integer else total / n
