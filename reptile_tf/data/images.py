"""Examples as models see them; and images of another size."""

import numpy.typing as npt
import tensorflow as tf


def nearest(
    image: npt.ArrayLike | tf.Tensor, height: int, width: int
) -> tf.Tensor:
    """Resizes `[..., ..., channels]` to `[height, width, channels]`.

    Pixel i is source pixel floor((i + 1/2) scale), in both directions.
    """
    for axis, size in enumerate((height, width)):
        middles = (tf.range(size, dtype=tf.float64) + 0.5) / size
        side = tf.cast(tf.shape(image)[axis], middles.dtype)
        source = tf.cast(middles * side, tf.int32)
        image = tf.gather(image, source, axis=axis)
    return image


def to_inputs(examples: npt.ArrayLike | tf.Tensor) -> tf.Tensor:
    """Returns examples `[n, ...]` as models see them.

    Images, which are uint8 examples of two or more dimensions, become float32
    between 0 and 1. Other numbers stay what they are, as float32 or int32, and
    so do strings.
    """
    examples = tf.convert_to_tensor(examples)
    if examples.dtype == tf.uint8 and examples.shape.rank > 2:
        return tf.cast(examples, tf.float32) * (1 / 255)
    if examples.dtype.is_floating or examples.dtype == tf.bool:
        return tf.cast(examples, tf.float32)
    if examples.dtype.is_integer:
        return tf.cast(examples, tf.int32)
    return examples
