"""What a task is, and the random keys everything about it follows from.

Task i of a distribution is a function of (seed, i): sampling uses stateless
random operations only, so that a task is the same on any machine, in any
order and after any resume, and a distribution has no state to save.
"""

import operator
from typing import NamedTuple, Protocol

import tensorflow as tf

# Named, so that a task does not depend on the device that draws it.
ALGORITHM = "philox"


class Task(NamedTuple):
    """One task tau: what its learner sees, and what it is asked.

    Attributes:
        support_x: inputs to learn from, float32 `[S, ...]`.
        support_y: their targets: int32 `[S]` labels, or float32 `[S, outputs]`.
        query_x: inputs to be asked about, float32 `[Q, ...]`.
        query_y: their targets.
        key: int32 `[2]`; the order of the inner mini-batches, and dropout where
            the model has it, are functions of it.
    """

    support_x: tf.Tensor
    support_y: tf.Tensor
    query_x: tf.Tensor
    query_y: tf.Tensor
    key: tf.Tensor


class Tasks(Protocol):
    """A distribution of tasks."""

    def sample(self, index: tf.Tensor) -> Task:
        """Returns task `index` (int64 scalar); always the same for an index."""


def fold_in(seed: int | tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Returns the int32 `[2]` key of number `index` in the stream of `seed`.

    Args:
        seed: a whole number, or a key.
        index: integer scalar.
    """
    if not isinstance(seed, tf.Tensor):
        seed = operator.index(seed)
        # Bits above the lowest 32 go into the second word.
        seed = tf.bitcast(
            tf.constant(
                [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], tf.uint32
            ),
            tf.int32,
        )
    return tf.random.fold_in(seed, tf.cast(index, tf.int32), alg=ALGORITHM)


def split(key: tf.Tensor, num: int) -> list[tf.Tensor]:
    """Returns `num` independent keys made from one."""
    return tf.unstack(tf.random.split(key, num, alg=ALGORITHM))


def uniform(key: tf.Tensor, shape, low: float, high: float) -> tf.Tensor:
    """Returns float32 numbers in `[low, high)`."""
    return tf.random.stateless_uniform(shape, key, low, high, alg=ALGORITHM)


def _ranks(key: tf.Tensor, shape) -> tf.Tensor:
    # All 2^32 integers, where floats would have 2^23 values and so more ties.
    return tf.random.stateless_uniform(
        shape, key, minval=None, maxval=None, dtype=tf.int32, alg=ALGORITHM
    )


def permutations(key: tf.Tensor, count, length) -> tf.Tensor:
    """Returns `count` random permutations of 0..length-1: `[count, length]`."""
    return tf.argsort(_ranks(key, [count, length]), stable=True)


def choose(key: tf.Tensor, sizes: tf.Tensor, k: int, width: int) -> tf.Tensor:
    """Chooses k of the first sizes[i] numbers, without replacement, for each i.

    Args:
        key: int32 `[2]`.
        sizes: int32 `[rows]`, each between `k` and `width`.
        k: how many to choose.
        width: the largest size.

    Returns:
        int32 `[rows, k]`: a uniformly random ordered choice in every row.
    """
    ranks = _ranks(key, [tf.shape(sizes)[0], width])
    outside = tf.range(width) >= sizes[:, tf.newaxis]
    # Equal ranks are taken in the order of their index, so a row never takes
    # from outside before everything inside is taken.
    return tf.math.top_k(tf.where(outside, tf.int32.min, ranks), k).indices


def mini_batches(key: tf.Tensor, size, steps, batch_size) -> tf.Tensor:
    """Returns the examples of each inner step as row numbers.

    The examples are shuffled and taken in order, and shuffled again when they
    run out, so a batch may straddle two passes (and, where it is larger than
    the support set, holds examples more than once).

    Args:
        key: int32 `[2]`.
        size: S, the number of support examples.
        steps: k, the number of inner steps.
        batch_size: B, the examples of one step.

    Returns:
        int32 `[k, B]`, numbers in 0..S-1.
    """
    passes = (steps * batch_size + size - 1) // size
    order = tf.reshape(permutations(key, passes, size), [-1])
    return tf.reshape(order[: steps * batch_size], [steps, batch_size])
