"""Floats of 16 bits: where they do not do, 32 bits are used."""

import tensorflow as tf


def wide(dtype: tf.DType) -> tf.DType:
    """Returns a dtype, with float32 in place of floats of 16 bits.

    Args:
        dtype: any.
    """
    return tf.float32 if dtype.is_floating and dtype.size < 4 else dtype
