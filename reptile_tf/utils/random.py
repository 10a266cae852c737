"""Random numbers that are functions of a key.

Only TensorFlow's stateless random operations are used: the same key gives the
same numbers on any machine, in any order and after any resume, and there is no
state to save.
"""

import operator
from collections.abc import Sequence

import tensorflow as tf

# Named, so that a number does not depend on the device that draws it.
ALGORITHM = "philox"
_PHILOX = tf.random.Algorithm.PHILOX.value
_SCRAMBLER = 0x02461E293EC8F720  # a key of TensorFlow's


def key_of(seed: int) -> tf.Tensor:
    """Returns the int32 `[2]` key that stands for a seed, a whole number."""
    seed = operator.index(seed)
    # Bits above the lowest 32 go into the second word.
    words = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
    return tf.bitcast(tf.constant(words, tf.uint32), tf.int32)


def fold_in(seed: int | tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Returns the int32 `[2]` key of number `index` in the stream of `seed`.

    Args:
        seed: a whole number, or a key.
        index: integer scalar.
    """
    key = seed if isinstance(seed, tf.Tensor) else key_of(seed)
    return tf.stack([_integers(key, []), tf.cast(index, tf.int32)])


def split(key: tf.Tensor, num: int) -> list[tf.Tensor]:
    """Returns `num` independent keys made from one."""
    return tf.unstack(_integers(key, [num, 2]))


def uniform(
    key: tf.Tensor, shape: Sequence[int], low: float, high: float
) -> tf.Tensor:
    """Returns float32 numbers in `[low, high)`."""
    numbers = tf.raw_ops.StatelessRandomUniformV2(
        shape=tf.convert_to_tensor(shape, tf.int32),
        **_start(key),
        alg=_PHILOX,
        dtype=tf.float32,
    )
    return numbers * (high - low) + low


def _integers(key: tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Returns int32 numbers, of which all 2^32 are as likely."""
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.convert_to_tensor(shape, tf.int32),
        **_start(key),
        alg=_PHILOX,
        dtype=tf.int32,
    )


def _start(key: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns where in Philox's numbers those of a key begin.

    It is where `tf.random` begins, in half of the operations. Theirs are a
    fifth of what a learner is compiled of.
    """
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[2],
        key=tf.constant([_SCRAMBLER], tf.uint64),
        counter=tf.cast(key, tf.uint64),
        alg=_PHILOX,
        dtype=tf.uint64,
    )
    # Of operations that GPUs have for such integers, as tf.split is none.
    last = words * tf.constant([0, 1], tf.uint64)
    return {"key": words[:1], "counter": last}


def permutations(
    key: tf.Tensor, count: int | tf.Tensor, length: int | tf.Tensor
) -> tf.Tensor:
    """Returns `count` random permutations of 0..length-1: `[count, length]`."""
    # Integers, as floats would have 2^23 values and so more ties.
    return tf.argsort(_integers(key, [count, length]), stable=True)


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
    ranks = _integers(key, [tf.shape(sizes)[0], width])
    outside = tf.range(width) >= sizes[:, tf.newaxis]
    # Equal ranks are taken in the order of their index, so a row never takes
    # from outside before everything inside is taken.
    return tf.math.top_k(tf.where(outside, tf.int32.min, ranks), k).indices
