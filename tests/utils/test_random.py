"""Random numbers: TensorFlow's own, to the last bit."""

import numpy as np
import tensorflow as tf

from reptile_tf.utils import random

KEYS = [0, 0], [-1, 2], [2**31 - 1, -(2**31)], [1234567, 89]


def theirs(key):
    philox = {"alg": "philox"}
    ranks = tf.random.stateless_uniform(
        [2, 5], key, None, None, tf.int32, **philox
    )
    return [
        tf.random.fold_in(key, tf.constant(7), **philox),
        *tf.unstack(tf.random.split(key, 3, **philox)),
        tf.random.stateless_uniform([4], key, -2.0, 3.0, **philox),
        tf.argsort(ranks),
    ]


def ours(key):
    return [
        random.fold_in(key, tf.constant(7, tf.int64)),
        *random.split(key, 3),
        random.uniform(key, [4], -2.0, 3.0),
        random.permutations(key, 2, 5),
    ]


def test_they_are_those_of_philox_in_tensorflow():
    """Eagerly, compiled, and by XLA, whose floats are rounded otherwise."""
    ways = [(ours, theirs)]
    for jit_compile in (False, True):
        options = {"autograph": False, "jit_compile": jit_compile}
        ways.append([tf.function(f, **options) for f in ways[0]])
    for key in map(tf.constant, KEYS):
        for one, other in ways:
            for found, expected in zip(one(key), other(key), strict=True):
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found, expected)
