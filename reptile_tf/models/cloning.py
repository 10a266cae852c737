"""Clones of Keras models, and the shapes that models return."""

from typing import Any

import keras
import tensorflow as tf

from reptile_tf.models import keras_internals


def clone(model: keras.Model) -> keras.Model:
    """Returns a model of the same structure, with all that the model holds.

    Raises:
        ValueError: Keras cannot clone it; says why.
    """
    try:
        with keras_internals.trusted():  # a Lambda is of this very process
            other = keras.models.clone_model(model)
        if not other.built:  # subclassed models are cloned from config alone
            other.build_from_config(model.get_build_config())
    # Whatever a layer's own code may raise, the model cannot be cloned.
    except Exception as error:
        reason = str(error).rpartition("Exception encountered:")[2].strip()
        raise ValueError(
            f"model {model.name!r} cannot be cloned for a task, which Keras "
            f"does by the get_config of its layers: {reason:.240}"
        ) from error
    if _shapes(model) != _shapes(other):
        raise ValueError(
            f"a clone of model {model.name!r} has weights of shapes "
            f"{_shapes(other)} where the model has {_shapes(model)}; does "
            "its get_config return all that its constructor needs?"
        )
    keras_internals.copy_state(model, other)
    return other


def _shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(v.shape) for v in model.variables]


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
                (1, *x.shape[1:]), tf.as_dtype(x.dtype).name
            ),
            inputs,
        )
    )
    return tf.nest.map_structure(lambda o: tf.TensorShape(o.shape[1:]), spec)
