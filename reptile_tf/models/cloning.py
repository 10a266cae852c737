"""Clones of Keras models, and the shapes that models return."""

import inspect
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
        with (
            keras_internals.trusted(),  # functions are of this very process
            keras.saving.custom_object_scope(_functions(model)),
        ):
            other = _cloned(model)
        if not other.built:  # subclassed models are cloned from config alone
            other.build_from_config(model.get_build_config())
    # Whatever a layer's own code may raise, the model cannot be cloned.
    except Exception as error:
        reason = str(error).rpartition("Exception encountered:")[2].strip()
        raise ValueError(
            f"model {model.name!r} cannot be cloned for a task, which Keras "
            f"does by the get_config of its layers: {reason:.240}"
        ) from error
    _require_clonable(model, other)
    if _shapes(model) != _shapes(other):
        raise ValueError(
            f"a clone of model {model.name!r} has weights of shapes "
            f"{_shapes(other)} where the model has {_shapes(model)}; does "
            "its get_config return all that its constructor needs?"
        )
    keras_internals.copy_state(model, other)
    return other


def _functions(model: keras.Model) -> dict[str, Any]:
    """Returns the functions that layers were given, by their names."""
    return {
        value.__name__: value
        for layer in keras_internals.all_layers(model)
        for value in vars(layer).values()
        if inspect.isfunction(value)
        and not value.__module__.startswith("keras.")
    }


def _cloned(model: keras.Model) -> keras.Model:
    layers = keras_internals.all_layers(model)
    if not any(isinstance(layer, keras.layers.Lambda) for layer in layers):
        return keras.models.clone_model(model)

    def again(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.Lambda):
            return type(layer).from_config(config)
        # The function itself: Keras would make it again without its globals.
        known = ("output_shape", "mask", "arguments", "function")
        others = {k: v for k, v in config.items() if k not in known}
        return keras.layers.Lambda(
            layer.function,
            output_shape=layer._output_shape,
            mask=layer.mask,
            arguments=layer.arguments,
            **others,
        )

    return keras.models.clone_model(model, clone_function=again, recursive=True)


def _require_clonable(model: keras.Model, other: keras.Model) -> None:
    """Refuses what a clone would lack, or share with the model."""
    name = model.name
    if type(other) is not type(model):
        raise ValueError(
            f"model {name!r} is a {type(model).__name__}, of which Keras makes "
            f"a {type(other).__name__} when it clones it; derive it from "
            "keras.Model, with call and get_config"
        )
    used = keras_internals.weights_in_operations(model)
    if used:
        raise ValueError(
            f"weight {used[0]!r} of model {name!r} is used by an operation "
            "outside of its layer, which a clone would share with the model; "
            "make the operation a part of a layer"
        )
    for layer in keras_internals.all_layers(model):
        if getattr(layer, "stateful", False):
            raise ValueError(
                f"layer {layer.name!r} of model {name!r} is stateful, and "
                "inner steps cannot hand its state on; use stateful=False"
            )
    for method in ("train_step", "compute_loss"):
        own = getattr(type(model), method)
        if own is not getattr(keras.Model, method):
            raise ValueError(
                f"model {name!r} has a {method} of its own, which inner steps "
                "would not call; put what it adds into the loss, or into "
                "add_loss of a layer"
            )


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
                (x.shape[0] or 1, *x.shape[1:]), tf.as_dtype(x.dtype).name
            ),
            inputs,
        )
    )
    return tf.nest.map_structure(lambda o: tf.TensorShape(o.shape[1:]), spec)
