"""Max-pooling whose gradient is oneDNN's in every process.

TensorFlow takes oneDNN's operation for the gradient of a max-pooling, which is
several times faster than its own, only if it comes upon the max-pooling before.
In a loop, in which each of the two leads to the other, that is a matter of
chance, and so another in each process. The gradient is therefore a function of
its own, which max-pools once more.
"""

from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.eager import record

_KINDS = (
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
)


def is_plain(layer: keras.layers.Layer) -> bool:
    """Returns whether a layer is one of Keras's max-poolings.

    Args:
        layer: any layer.
    """
    return type(layer) in _KINDS


class MaxPooling:
    """What a layer of max-pooling does with inputs.

    Args:
        layer: the layer.
    """

    def __init__(self, layer: keras.layers.Layer):
        self._plain = layer.call

    def __call__(self, inputs: Any) -> tf.Tensor:
        """Returns the outputs, as the layer by itself does.

        Args:
            inputs: `[batch, ...]`, as the layer takes them.
        """
        inputs = tf.convert_to_tensor(inputs)
        with record.stop_recording():
            outputs = self._plain(inputs)
        gradient = tf.function(
            self._gradient,
            autograph=False,
            # It does not become a part of the graph that calls it.
            experimental_attributes={"_noinline": True},
        )
        record.record_operation(
            *("MaxPooling", [outputs], [inputs]),
            lambda above: [gradient(inputs, above)],
        )
        return outputs

    def _gradient(self, inputs: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = self._plain(inputs)
        return tape.gradient(outputs, inputs, above)
