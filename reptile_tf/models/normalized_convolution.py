"""A convolution of few inputs and the batch normalization after it, as one.

The patches P that the filters K see are few numbers each, such as 9 pixels
where there are 64 filters. What batch normalization does to the outputs
y = P K + b, of which there are many more, follows from the patches' mean m and
covariance C:

    mean(y) = m K + b        var(y) = diag(K' C K)

So the filters can be scaled in place of the outputs. Nor are gradients of the
outputs needed where none go on to the inputs: those of the filters follow from
P' g, where g is the gradient of what is returned. The large tensors between the
two layers are never made.
"""

import math
from typing import Any, NamedTuple, Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from reptile_tf.models import keras_internals
from reptile_tf.models.windows import along_a_side

# Pixels of a patch, in all, and for each filter, up to which it is faster.
_MOST, _MOST_A_FILTER = 49, 2


def remember(layer: keras.layers.Conv2D) -> None:
    """Has a convolution's outputs say what it made them of, where it pays.

    Args:
        layer: a convolution as `convolution.is_plain` wants it, built.
    """
    *patch, filters = layer.kernel.shape
    if (
        math.prod(patch) <= min(_MOST, _MOST_A_FILTER * filters)
        and layer.activation is keras.activations.linear
        and type(layer).kernel is keras.layers.Conv2D.kernel
        # Code that calls layers may ask for gradients in between; none such is
        # between the layers of a graph.
        and keras_internals.is_followed_by(
            layer, keras.layers.BatchNormalization
        )
    ):
        layer.call = _Call(layer)


class _Call:
    """What a layer does with inputs: what it did, and its outputs know it."""

    def __init__(self, layer: keras.layers.Conv2D):
        self._layer, self._plain = layer, layer.call

    def __call__(self, inputs: Any) -> tf.Tensor:
        """Returns the outputs `[batch, height, width, filters]`.

        Args:
            inputs: `[batch, height, width, channels]`.
        """
        outputs = self._plain(inputs)
        outputs._reptile_tf_convolution = Convolution.of(self._layer, inputs)
        return outputs


class Convolution(NamedTuple):
    """What outputs of a convolution are made of.

    Attributes:
        inputs: `[batch, height, width, channels]`.
        kernel: `[height, width, channels, filters]`.
        bias: `[filters]`.
        how: `strides`, a pair, and `padding`, as TensorFlow takes them.
    """

    inputs: tf.Tensor
    kernel: tf.Tensor
    bias: tf.Tensor
    how: dict

    @classmethod
    def of(cls, layer: keras.layers.Conv2D, inputs: Any) -> Self | None:
        """Returns what a layer makes outputs of; None if it had better do so.

        That is where a gradient goes on to the inputs, or none goes to the
        kernel, by which one notices inputs that are not finite; or where the
        size of the images is not known.

        Args:
            layer: the convolution.
            inputs: that it is called with.
        """
        inputs = tf.convert_to_tensor(inputs)
        kernel = tf.convert_to_tensor(layer.kernel)
        onward, own = (
            record.should_record_backprop([t]) for t in (inputs, kernel)
        )
        if onward or not own or None in inputs.shape[1:]:
            return None
        bias = layer.bias if layer.use_bias else tf.zeros_like(kernel[0, 0, 0])
        how = {"strides": layer.strides, "padding": layer.padding.upper()}
        return cls(inputs, kernel, tf.convert_to_tensor(bias), how)

    @classmethod
    def behind(cls, outputs: Any) -> Self | None:
        """Returns what outputs are made of, if a layer that remembers did.

        Args:
            outputs: any tensor.
        """
        return getattr(outputs, "_reptile_tf_convolution", None)

    def normalized(
        self, gamma: Any, beta: Any, epsilon: float
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the outputs normalized, and their mean and their variance.

        The tape that is recording is given the gradients of kernel, gamma and
        beta. There are none of the bias, on which what is returned does not
        depend, and none of the inputs, which no tape watches.

        Args:
            gamma: `[filters]`, the deviation that the outputs shall have.
            beta: `[filters]`, the mean that they shall have.
            epsilon: added to the variance.

        Returns:
            (outputs, mean, variance): `[batch, height, width, filters]`, and
            `[filters]` each, of the outputs before.
        """
        gamma, beta = tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta)
        with record.stop_recording():
            patches = _WavePatches.of(self)

        def spread():
            """Returns K, C K, the variance, and the scale without gamma."""
            kernel = patches.in_waves(self.kernel)
            product = tf.matmul(patches.covariance, kernel)
            variance = tf.reduce_sum(kernel * product, 0)
            return kernel, product, variance, tf.math.rsqrt(variance + epsilon)

        def gradients(above):
            # Made anew of kernel and gamma, to be differentiated once more.
            kernel, product, _, scale = spread()
            rows = tf.reshape(above, [-1, above.shape[-1]])
            sums = tf.matmul(patches.centered, rows, transpose_a=True)
            of_gamma = scale * tf.reduce_sum(kernel * sums, 0)
            of_kernel = gamma * scale * (sums - product * (scale * of_gamma))
            of_kernel = patches.in_pixels(of_kernel)
            return [
                tf.reshape(of_kernel, self.kernel.shape),
                of_gamma,
                sums[-1],
            ]

        with record.stop_recording():
            kernel, _, variance, scale = spread()
            mean = tf.matmul(patches.mean, kernel)[0]
            scale *= gamma
            outputs = tf.nn.bias_add(
                tf.nn.conv2d(self.inputs, self.kernel * scale, **self.how),
                beta - mean * scale,
            )
        record.record_operation(
            *("NormalizedConv2D", [outputs]),
            *([self.kernel, gamma, beta], gradients),
        )
        return outputs, mean + self.bias, variance


class _WavePatches(NamedTuple):
    """The patches that filters see, each as the waves that it is the sum of.

    Pixels of a patch are much alike, and so small differences between them,
    which some filters look for, would be lost in the rounding of a covariance
    of pixels. Of the waves only one has what the pixels have in common.

    Beside how much there is of each wave, a patch has a 1, whose products are
    sums; filters and mean have a 0 there.

    Attributes:
        waves: float64 `[pixels, pixels + 1]`, orthonormal columns, and a 0.
        centered: `[patches, pixels + 1]`, the patches less their mean.
        mean: `[1, pixels + 1]`.
        covariance: `[pixels + 1, pixels + 1]`.
    """

    waves: np.ndarray
    centered: tf.Tensor
    mean: tf.Tensor
    covariance: tf.Tensor

    @classmethod
    def of(cls, convolution: Convolution) -> Self:
        """Returns the patches, which a convolution with the waves cuts out."""
        inputs, kernel, _, how = convolution
        *patch, _ = kernel.shape
        high, wide, deep = map(_waves, patch)
        waves = np.pad(np.kron(np.kron(high, wide), deep), [(0, 0), (0, 1)])
        pixels, columns = waves.shape

        # The mean, of that of the images.
        down, across = (
            _shares(*axis, how["padding"])
            for axis in zip(
                inputs.shape[1:3], patch[:2], how["strides"], strict=True
            )
        )
        mean = tf.reduce_mean(inputs, 0)
        mean = tf.reshape(mean, [mean.shape[0], -1])
        mean = tf.constant(high.T @ down, mean.dtype) @ mean
        mean @= tf.constant(np.kron(across.T @ wide, deep), mean.dtype)
        mean = tf.pad(tf.reshape(mean, [1, pixels]), [[0, 0], [0, 1]])

        filters = tf.constant(waves.reshape([*patch, columns]), kernel.dtype)
        centered = tf.nn.bias_add(
            tf.nn.conv2d(inputs, filters, **how),
            tf.one_hot(pixels, columns, dtype=mean.dtype) - mean[0],
        )
        centered = tf.reshape(centered, [-1, columns])
        covariance = tf.matmul(centered, centered, transpose_a=True)
        covariance /= tf.cast(tf.shape(centered)[0], covariance.dtype)
        return cls(waves, centered, mean, covariance)

    def in_waves(self, kernel: tf.Tensor) -> tf.Tensor:
        """Returns how much of each wave is in each filter.

        Args:
            kernel: `[height, width, channels, filters]`.

        Returns:
            `[pixels + 1, filters]`. Of what a filter is to see nothing of it is
            0 but for the rounding of the kernel.
        """
        flat = tf.reshape(kernel, [len(self.waves), -1])
        exact = tf.matmul(self.waves, tf.cast(flat, tf.float64), True)
        return tf.cast(exact, kernel.dtype)

    def in_pixels(self, filters: tf.Tensor) -> tf.Tensor:
        """Returns filters of pixels, `[pixels, filters]`.

        Args:
            filters: `[pixels + 1, filters]`, how much of each wave is in each.
        """
        return tf.matmul(tf.constant(self.waves, filters.dtype), filters)


def _shares(size: int, kernel: int, stride: int, padding: str) -> np.ndarray:
    """Returns what the pixels of a filter see of an image, along one side.

    Args:
        size: pixels of the image.
        kernel: pixels of the filter.
        stride: between places of the filter.
        padding: "SAME" or "VALID".

    Returns:
        `[kernel, size]`, the share of places at which the one sees the other.
    """
    seen, (before, _) = along_a_side(size, kernel, stride, padding)
    return (seen[:, :, np.newaxis] - before == np.arange(size)).mean(0)


def _waves(n: int) -> np.ndarray:
    """Returns n numbers as sums of waves: `[n, n]`, an orthonormal column each.

    The first wave is constant, and each goes up and down more often than the
    one before: the discrete cosine transform.
    """
    place, wave = np.arange(n)[:, np.newaxis] + 0.5, np.arange(n)
    columns = np.cos(np.pi * place * wave / n) * np.sqrt(2 / n)
    columns[:, 0] /= np.sqrt(2)
    return columns
