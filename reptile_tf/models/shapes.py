"""The shapes that models return."""

from typing import Any

import keras
import tensorflow as tf


def output_shape(model: keras.Model, inputs: Any) -> Any:
    """Returns the shape of a model's output for one example.

    Args:
        model: any Keras model; a subclassed one need not say its shapes.
        inputs: examples `[n, ...]`, in the structure that the model takes.

    Returns:
        A `tf.TensorShape` without the batch, or a structure of them.
    """
    spec = model.compute_output_spec(
        tf.nest.map_structure(
            lambda x: keras.KerasTensor(
                (x.shape[0] or 1, *x.shape[1:]), tf.as_dtype(x.dtype).name
            ),
            inputs,
        )
    )
    return tf.nest.map_structure(lambda o: tf.TensorShape(o.shape[1:]), spec)
