"""Convolutions whose filters' gradients are one matrix product each.

On a processor TensorFlow's own operation for the gradient of small filters runs
at half the speed of a product, or less. The patches that the filters see are
gathered, and multiplied with the gradient of the outputs.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from reptile_tf.models.windows import along_a_side

# Bytes of an example's patches from which on gathering them takes longer than
# the product saves.
_MOST = 1 << 18


class ByPatches(keras.layers.Conv2D):
    """A convolution that computes its kernel's gradient so at any cost."""

    def convolution_op(self, inputs: Any, kernel: Any) -> tf.Tensor:
        """Returns the outputs `[batch, height, width, filters]`.

        Args:
            inputs: `[batch, height, width, channels]`.
            kernel: `[height, width, channels, filters]`.
        """
        plain = super().convolution_op
        return Operation(self, plain, math.inf)(inputs, kernel)


def is_plain(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer is a convolution as they mostly are.

    Args:
        layer: any layer.
    """
    known = keras.layers.Conv2D
    return (
        isinstance(layer, known)
        and type(layer).call is known.call
        and type(layer).convolution_op is known.convolution_op
        and layer.data_format == "channels_last"
        and layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.padding in ("same", "valid")
    )


class Operation:
    """What a convolution does with inputs and kernel.

    Args:
        layer: the layer.
        plain: what it does by itself.
        most: bytes of an example's patches up to which they are gathered.
    """

    def __init__(
        self, layer: keras.layers.Conv2D, plain: Callable, most: float = _MOST
    ):
        self._strides, self._padding = layer.strides, layer.padding.upper()
        self._plain, self._most = plain, most

    def __call__(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Returns the outputs `[batch, height, width, filters]`.

        Args:
            inputs: `[batch, height, width, channels]`.
            kernel: `[height, width, channels, filters]`.
        """
        inputs = tf.convert_to_tensor(inputs)
        kernel = tf.convert_to_tensor(kernel)
        seen = _Patches.of(
            *(inputs.shape, kernel.shape, self._strides, self._padding),
            self._most,
        )
        narrow = not inputs.dtype.is_floating or inputs.dtype.size < 4
        if seen is None or narrow or inputs.dtype != kernel.dtype:
            return self._plain(inputs, kernel)
        return _convolve(inputs, kernel, seen)


class _Patches:
    """The patches of an image that a kernel sees.

    Args:
        size: height and width of the image.
        kernel: height and width of the kernel.
        strides: between patches.
        padding: "SAME" or "VALID".

    Attributes:
        how: `strides` and `padding`, as TensorFlow's operations take them.
        rows: int32 `[outputs, height * width of the kernel]`, numbers of the
            pixels of the padded image.
        pads: of the image, as `tf.pad` takes them.
    """

    def __init__(self, size, kernel, strides, padding):
        self.how = {"strides": [1, *strides, 1], "padding": padding}
        sides = zip(size, kernel, strides, strict=True)
        (down, above), (across, beside) = (
            along_a_side(*side, padding) for side in sides
        )
        self.pads = [[0, 0], above, beside, [0, 0]]
        width = size[1] + sum(beside)
        pixels = (
            down[:, np.newaxis, :, np.newaxis] * width
            + across[np.newaxis, :, np.newaxis, :]
        )
        self.rows = pixels.reshape(len(down) * len(across), -1).astype(np.int32)

    @classmethod
    def of(cls, inputs, kernel, strides, padding, most) -> "_Patches | None":
        """Returns the patches, or None where they are too large to pay."""
        size, channels = inputs[1:3], inputs[3]
        if None in (*size, channels) or kernel[2] != channels:
            return None
        patches = cls(size, kernel[:2], strides, padding)
        few = 4 * patches.rows.size * channels <= most
        return patches if few and patches.rows.size else None

    def gathered(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the patches of images: `[batch * outputs, pixels]`."""
        padded = tf.pad(inputs, self.pads)
        height, width, channels = padded.shape[1:]
        first = height * width * tf.range(tf.shape(inputs)[0])
        rows = first[:, tf.newaxis, tf.newaxis] + self.rows
        found = tf.gather(tf.reshape(padded, [-1, channels]), rows)
        return tf.reshape(found, [-1, self.rows.shape[1] * channels])


def _convolve(inputs, kernel, seen: _Patches):
    """Returns `tf.nn.conv2d`, with another gradient of the kernel.

    The tape that is recording keeps it. `tf.custom_gradient` would keep it for
    ever, in a table of the whole process, and the graph with it.
    """

    def gradients(above):
        of_inputs = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(inputs),
            filter=kernel,
            out_backprop=above,
            **seen.how,
        )
        of_kernel = tf.matmul(
            seen.gathered(inputs),
            tf.reshape(above, [-1, kernel.shape[-1]]),
            transpose_a=True,
        )
        return [of_inputs, tf.reshape(of_kernel, kernel.shape)]

    with record.stop_recording():
        outputs = tf.nn.conv2d(inputs, kernel, **seen.how)
    record.record_operation("Conv2D", [outputs], [inputs, kernel], gradients)
    return outputs
