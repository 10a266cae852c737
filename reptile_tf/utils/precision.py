"""Floats of 16 bits: where they do not do, 32 bits are used."""

import numpy as np
import tensorflow as tf


def wide(dtype: tf.DType) -> tf.DType:
    """Returns a dtype, with float32 in place of floats of 16 bits.

    Args:
        dtype: any.
    """
    return tf.float32 if dtype.is_floating and dtype.size < 4 else dtype


def from_file(array: np.ndarray, dtype: tf.DType | str) -> tf.Tensor:
    """Returns an array of a NumPy file, which may not say bfloat16.

    Args:
        array: as it was read.
        dtype: of the tensor.
    """
    if array.dtype.kind == "V":
        array = array.view(tf.bfloat16.as_numpy_dtype)
    return tf.cast(tf.constant(array), dtype)
