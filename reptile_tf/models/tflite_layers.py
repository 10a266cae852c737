"""Layers that TFLite can train: the same, by operations that it has.

TFLite's built-in operations are those of inference. It has none for the
gradients of ReLU, of pooling and of a convolution's kernel, and no batch
normalization that makes its own statistics. Whatever it lacks it asks
TensorFlow for, by its Flex delegate, which few interpreters are linked with.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.models import convolution
from reptile_tf.models.batch_normalization import BatchNormalization
from reptile_tf.models.cloning import clone
from reptile_tf.models.windows import along_a_side


def trainable_in_tflite(model: keras.Model) -> keras.Model:
    """Returns a clone whose common layers TFLite can differentiate.

    They are dense layers, plain convolutions, batch normalization, ReLU, and
    pooling of windows side by side. All other layers are as they were.

    Args:
        model: any built Keras model, which stays as it is.
    """
    return clone(model, _replacement)


def relu_as_maximum(x: Any) -> tf.Tensor:
    """Returns ReLU of x, whose derivative at 0 is 0, as that of TensorFlow's.

    Args:
        x: of any shape.
    """
    x = tf.convert_to_tensor(x)
    return tf.maximum(tf.zeros([], x.dtype), x)


def _pooled(
    layer: keras.layers.Layer, plain: Callable, reduce: Callable, inputs: Any
) -> tf.Tensor:
    """Returns a pooling of windows side by side as a reduction of two axes.

    Args:
        layer: that pools.
        plain: what it does by itself, where sizes are not known.
        reduce: what it does with a window.
        inputs: `[batch, height, width, channels]`.
    """
    inputs = tf.convert_to_tensor(inputs)
    if None in inputs.shape[1:]:
        return plain(inputs)
    counts, pads, ends = [], [], []
    for n, window in zip(inputs.shape[1:3], layer.pool_size, strict=True):
        seen, beside = along_a_side(n, window, window, layer.padding.upper())
        counts.append(len(seen))
        pads.append(beside)
        ends.append(len(seen) * window)
    if any(map(sum, pads)):
        lowest = inputs.dtype.min
        inputs = tf.pad(inputs, [[0, 0], *pads, [0, 0]], constant_values=lowest)
    # A slice by Python's own brackets has a gradient that TFLite lacks.
    inputs = tf.slice(inputs, [0, 0, 0, 0], [-1, *ends, -1])
    (rows, columns), (height, width) = counts, layer.pool_size
    shape = [-1, rows, height, columns, width, inputs.shape[-1]]
    return reduce(tf.reshape(inputs, shape), [2, 4])


class _MaxPooling2D(keras.layers.MaxPooling2D):
    def call(self, inputs):
        return _pooled(self, super().call, tf.reduce_max, inputs)


class _AveragePooling2D(keras.layers.AveragePooling2D):
    def call(self, inputs):
        return _pooled(self, super().call, tf.reduce_mean, inputs)


def _pooling(layer: keras.layers.Layer) -> Any:
    """Returns what is to pool in place of a layer; None for other layers."""
    kind = {
        keras.layers.MaxPooling2D: _MaxPooling2D,
        keras.layers.AveragePooling2D: _AveragePooling2D,
    }.get(type(layer))
    if kind is None or layer.pool_size != layer.strides:
        return None
    # At the edges a mean is one of fewer than the window's.
    padded_mean = kind is _AveragePooling2D and layer.padding == "same"
    by_channels = layer.data_format != "channels_last"
    return None if padded_mean or by_channels else kind


class _BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer, in whose place inner steps are given no other."""


def _replacement(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """Returns what TFLite can differentiate in place of a layer, or None."""
    if type(layer) is keras.layers.ReLU:
        plain = (layer.max_value, layer.negative_slope, layer.threshold)
        return (
            keras.layers.Activation(
                relu_as_maximum, name=layer.name, dtype=layer.dtype_policy
            )
            if plain == (None, 0, 0)
            else None
        )
    config = layer.get_config()
    kind: Any = _pooling(layer)
    if type(layer) in (keras.layers.BatchNormalization, BatchNormalization):
        kind = _BatchNormalization
    if convolution.is_plain(layer):
        kind = convolution.ByPatches
    if getattr(layer, "activation", None) is keras.activations.relu:
        config["activation"] = relu_as_maximum
        kind = kind or type(layer)
    return None if kind is None else kind.from_config(config)
