"""Images as arrays: their size, and their range."""

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


def to_float(images: npt.ArrayLike | tf.Tensor) -> tf.Tensor:
    """Returns images as models see them: float32; uint8 becomes [0, 1]."""
    images = tf.convert_to_tensor(images)
    scale = 1 / 255 if images.dtype == tf.uint8 else 1.0
    return tf.cast(images, tf.float32) * scale
