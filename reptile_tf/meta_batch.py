"""Two ways to run the tasks of a meta-batch.

Both take `train(index, state) -> (W~, state, report)`, which trains on task
`index`, and return (mean of the W~, state to go on with, reports stacked
`[n, ...]`).
"""

import tensorflow as tf


def serial(train, state, indices, like):
    """One task after another, the optimizer's state running through them all.

    The paper's way (section 5.1): "the order matters because of Adam, which
    we did not reset after every task in the meta-batch".

    Args:
        train: see the module.
        state: the inner optimizer's state before the first task.
        indices: int64 `[n]`, the tasks.
        like: `tf.TensorSpec`s of what `train` returns.
    """
    n = indices.shape[0]
    weights, _, report = like
    total = tf.zeros(weights.shape, weights.dtype)
    reports = tf.nest.map_structure(
        lambda s: tf.TensorArray(s.dtype, n, element_shape=s.shape), report
    )

    def step(i, total, state, reports):
        weights, state, report = train(indices[i], state)
        reports = tf.nest.map_structure(
            lambda array, value: array.write(i, value), reports, report
        )
        return i + 1, total + weights, state, reports

    _, total, state, reports = tf.while_loop(
        lambda i, *_: i < n,
        step,
        (0, total, state, reports),
        parallel_iterations=1,
    )
    reports = tf.nest.map_structure(lambda array: array.stack(), reports)
    return total / n, state, reports


def parallel(train, state, indices, like):
    """All tasks from the same optimizer state, side by side on the cores.

    Differs from `serial` in that no task sees the moments of the tasks before
    it in the meta-batch: each goes on from the moments of the meta-batch
    before, and the mean of the resulting moments is carried on. Adam's step
    count so grows by k instead of n k in an outer iteration. With SGD, which
    has no state, the two are the same.

    Args:
        train: see the module.
        state: the inner optimizer's state that every task starts from.
        indices: int64 `[n]`, the tasks.
        like: `tf.TensorSpec`s of what `train` returns.
    """
    weights, states, reports = tf.map_fn(
        lambda index: train(index, state),
        indices,
        fn_output_signature=like,
        parallel_iterations=indices.shape[0],
    )
    mean = lambda t: tf.reduce_mean(t, 0)  # noqa: E731
    return mean(weights), tf.nest.map_structure(mean, states), reports


MODES = {"serial": serial, "parallel": parallel}
