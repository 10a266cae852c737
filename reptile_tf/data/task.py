"""What a task is, and what a distribution of tasks is.

Task i of a distribution is a function of (seed, i): sampling uses the random
functions of `reptile_tf.utils.random` only, so that a task is the same on any
machine, in any order and after any resume, and a distribution has no state to
save.
"""

from typing import Any, NamedTuple, Protocol

import tensorflow as tf


class Task(NamedTuple):
    """One task tau: what its learner sees, and what it is asked.

    >>> import reptile_tf as rt
    >>> task = rt.SineWaves(shots=10).sample(0)
    >>> task.support_x.shape, task.query_y.shape
    (TensorShape([10, 1]), TensorShape([50, 1]))

    Inputs of a model that takes several, and targets of one that returns
    several, are dicts, lists or tuples of tensors, structured as the model's.

    Attributes:
        support_x: inputs to learn from, `[S, ...]`, as the model takes them.
        support_y: their targets: int32 `[S]` labels, or floats shaped like the
            model's outputs, `[S, ...]`.
        query_x: inputs to be asked about, `[Q, ...]`.
        query_y: their targets.
        key: int32 `[2]`; the order of the inner mini-batches, and dropout where
            the model has it, are functions of it.
    """

    support_x: Any
    support_y: Any
    query_x: Any
    query_y: Any
    key: tf.Tensor


def num_examples(x: Any) -> int | tf.Tensor:
    """Returns how many examples `[n, ...]` are, where the graph knows it.

    The sets of tasks that vary in size are as large as they are when the graph
    runs; then it is an int32 scalar.

    Args:
        x: a tensor, or a structure of tensors.
    """
    first = tf.nest.flatten(x)[0]
    known = first.shape[0]
    return tf.shape(first)[0] if known is None else known


class Tasks(Protocol):
    """A distribution of tasks."""

    def sample(self, index: tf.Tensor) -> Task:
        """Returns task `index` (int64 scalar); always the same for an index."""
