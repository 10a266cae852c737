"""Examples as models see them; and images of another size."""

from collections.abc import Sequence

import numpy as np
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


def to_inputs(examples: npt.ArrayLike | tf.Tensor, pictures: bool) -> tf.Tensor:
    """Returns examples `[n, ...]` of a data set as models see them.

    Args:
        examples: of any dtype.
        pictures: whether they are pictures of bytes, which become float32
            between 0 and 1. Other numbers stay what they are, as float32 or
            int32, and so do strings.
    """
    examples = tf.convert_to_tensor(examples)
    if pictures:
        return tf.cast(examples, tf.float32) * (1 / 255)
    if examples.dtype.is_floating or examples.dtype == tf.bool:
        return tf.cast(examples, tf.float32)
    if examples.dtype.is_integer:
        return tf.cast(examples, tf.int32)
    return examples


def are_pictures(
    dtype: npt.DTypeLike, shape: Sequence[int], given: bool | None = None
) -> bool:
    """Returns whether examples are pictures, whose bytes are scaled to [0, 1].

    Bytes `[height, width, channels]` with 1, 3 or 4 channels are, and what is
    not of bytes is not; what else there is of bytes may be either.

    Args:
        dtype: of the examples.
        shape: of one example.
        given: what the user says; None if nothing.

    Raises:
        ValueError: it cannot be told, or pictures are not of bytes.
    """
    if np.dtype(dtype) != np.uint8:
        if given:
            raise ValueError(
                f"pictures=True is for uint8, which becomes [0, 1]; received "
                f"{np.dtype(dtype)}"
            )
        return False
    if given is not None:
        return given
    if len(shape) == 3 and shape[-1] in (1, 3, 4):
        return True
    if len(shape) < 2:
        return False
    raise ValueError(
        f"examples of uint8 {list(shape)} may be pictures or whole numbers: "
        "say pictures=True for pictures, which models are given as [0, 1], or "
        "pictures=False for numbers, which they are given as they are"
    )
