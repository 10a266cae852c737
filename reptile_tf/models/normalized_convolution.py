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
import tensorflow as tf
from tensorflow.python.eager import record

# Pixels of a patch from which on there is nothing to gain.
_MOST = 64


def remember(layer: keras.layers.Conv2D) -> None:
    """Has a convolution's outputs say what it made them of.

    Args:
        layer: a convolution as `convolution.is_plain` wants it.
    """
    if layer.activation is keras.activations.linear:
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
        how: `strides` and `padding`, as TensorFlow's operations take them.
    """

    inputs: tf.Tensor
    kernel: tf.Tensor
    bias: tf.Tensor
    how: dict

    @classmethod
    def of(cls, layer: keras.layers.Conv2D, inputs: Any) -> Self | None:
        """Returns what a layer makes outputs of; None if it had better do so.

        Args:
            layer: the convolution.
            inputs: that it is called with.
        """
        inputs = tf.convert_to_tensor(inputs)
        kernel = tf.convert_to_tensor(layer.kernel)
        *patch, filters = kernel.shape
        few = math.prod(patch) <= min(_MOST, 2 * filters)
        if not few or record.should_record_backprop([inputs]):
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
        filters = self.kernel.shape[-1]
        with record.stop_recording():
            patches = _Patches.of(self)

        def spread():
            """Returns K, C K, the variance, and the scale without gamma."""
            flat = tf.reshape(self.kernel, [-1, filters])
            product = tf.matmul(patches.covariance, flat)
            variance = tf.reduce_sum(flat * product, 0)
            return flat, product, variance, tf.math.rsqrt(variance + epsilon)

        def gradients(above):
            # Made anew of kernel and gamma, to be differentiated once more.
            flat, product, _, scale = spread()
            of_flat, of_beta = patches.times(above)
            of_gamma = scale * tf.reduce_sum(flat * of_flat, 0)
            of_flat -= product * scale * of_gamma
            of_kernel = tf.reshape(gamma * scale * of_flat, self.kernel.shape)
            return [of_kernel, of_gamma, of_beta]

        with record.stop_recording():
            flat, _, variance, scale = spread()
            mean = tf.linalg.matvec(flat, patches.mean, transpose_a=True)
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


class _Patches(NamedTuple):
    """The patches that filters see, each a row of pixels.

    Attributes:
        moved: `[patches, pixels + 1]`, the patches moved by about their mean,
            as squares of large numbers would lose the small differences
            between them; the last column is 1.
        rest: `[pixels]`, the mean of the moved patches.
        mean: `[pixels]`, of the patches.
        covariance: `[pixels, pixels]`.
    """

    moved: tf.Tensor
    rest: tf.Tensor
    mean: tf.Tensor
    covariance: tf.Tensor

    @classmethod
    def of(cls, convolution: Convolution) -> Self:
        """Returns the patches, which a convolution with the identity cuts."""
        inputs, kernel, _, how = convolution
        height, width, channels, _ = kernel.shape
        pixels = height * width * channels
        shift = tf.reduce_mean(tf.reshape(inputs, [-1, channels]), 0)
        shift = tf.tile(shift, [height * width])
        identity = tf.eye(pixels, pixels + 1, dtype=kernel.dtype)
        identity = tf.reshape(identity, [height, width, channels, pixels + 1])
        moved = tf.nn.bias_add(
            tf.nn.conv2d(inputs, identity, **how),
            tf.concat([-shift, tf.ones([1], shift.dtype)], 0),
        )
        moved = tf.reshape(moved, [-1, pixels + 1])
        moments = tf.matmul(moved, moved, transpose_a=True)
        moments /= moments[-1, -1]  # the number of patches
        rest = moments[-1, :-1]
        covariance = moments[:-1, :-1] - rest[:, tf.newaxis] * rest
        return cls(moved, rest, rest + shift, covariance)

    def times(self, above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the sums over patches of what is given for each of them.

        Args:
            above: `[batch, height, width, filters]`, a row for each patch.

        Returns:
            (weighted, plain): the rows times the patches less their mean,
            `[pixels, filters]`; and the rows, `[filters]`.
        """
        rows = tf.reshape(above, [-1, above.shape[-1]])
        sums = tf.matmul(self.moved, rows, transpose_a=True)
        plain = sums[-1]
        return sums[:-1] - self.rest[:, tf.newaxis] * plain, plain
