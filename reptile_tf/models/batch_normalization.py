"""Batch normalization as one operation, or less, right to second order."""

from typing import Any

import keras
import tensorflow as tf

from reptile_tf.models.normalized_convolution import Convolution


@keras.saving.register_keras_serializable("reptile_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer, computed by TensorFlow's fused operation in training.

    It is the same function, in one operation where Keras takes a dozen; after
    a convolution of few inputs, in one with the convolution. Whatever the
    operation cannot do (other ranks, axes and dtypes) is left to Keras. Inner
    steps have it in place of Keras's own layer.

    Its second derivatives, which MAML takes, are right. Keras's layer makes
    its statistics by `tf.nn.moments`, where the variance takes the mean for a
    constant; that changes no first derivative, but every second one.
    """

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        """Normalizes `inputs`, float32 `[batch, height, width, channels]`."""
        fused = (
            training
            and self.trainable
            and mask is None
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and self.compute_dtype == "float32"
            and self.scale
            and self.center
            and not self.renorm
            and not self.synchronized
        )
        if not fused:
            return super().call(inputs, training=training, mask=mask)
        by = self.gamma, self.beta, self.epsilon
        convolution = Convolution.behind(inputs)
        if convolution is not None:
            outputs, mean, variance = convolution.normalized(*by)
        else:
            outputs, mean, variance = _normalized(inputs, *by)
        for moving, now in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return outputs

    def _moments(self, inputs, mask):
        if mask is not None or self.synchronized:
            return super()._moments(inputs, mask)
        axes = self._reduction_axes
        mean = tf.reduce_mean(inputs, axes, keepdims=True)
        variance = tf.reduce_mean((inputs - mean) ** 2, axes)
        return tf.squeeze(mean, axes), variance


def _normalized(inputs, gamma, beta, epsilon):
    """Returns what `Convolution.normalized` does, of any inputs."""
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, gamma, beta, epsilon=epsilon, is_training=True
    )
    # The operation reports the variance times n / (n - 1); Keras keeps the one
    # that it normalizes by.
    n = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
    return outputs, mean, variance * (tf.maximum(n - 1, 1) / n)


def with_ours(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """Returns our layer in place of Keras's own; None for other layers.

    Args:
        layer: any layer.
    """
    if type(layer) is not keras.layers.BatchNormalization:
        return None
    return BatchNormalization.from_config(layer.get_config())


def without_ours(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """Returns Keras's own layer in place of ours; None for other layers.

    In inference it is the same function, bit for bit.

    Args:
        layer: any layer.
    """
    if type(layer) is not BatchNormalization:
        return None
    return keras.layers.BatchNormalization.from_config(layer.get_config())
