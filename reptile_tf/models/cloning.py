"""Clones of Keras models, with all that the models hold."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from reptile_tf.models import keras_internals
from reptile_tf.utils import backend

_Replace: TypeAlias = Callable[[keras.layers.Layer], keras.layers.Layer | None]


def clone(
    model: keras.Model,
    replace: _Replace | None = None,
) -> keras.Model:
    """Returns a model of the same structure, with all that the model holds.

    Args:
        model: any built Keras model.
        replace: if given, returns what is to stand for a layer in place of a
            clone, or None. Weights of another shape are left as they are made.

    Raises:
        ValueError: Keras cannot clone it; says why.
    """
    try:
        with (
            keras_internals.trusted(),  # functions are of this very process
            keras.saving.custom_object_scope(_functions(model)),
        ):
            other = _cloned(model, replace)
        if not other.built:  # subclassed models are cloned from config alone
            other.build_from_config(model.get_build_config())
    # Whatever a layer's own code may raise, the model cannot be cloned.
    except Exception as error:
        reason = str(error).rpartition("Exception encountered:")[2].strip()
        raise ValueError(
            f"model {model.name!r} cannot be cloned for a task, which Keras "
            f"does by the get_config of its layers: {reason:.240}"
        ) from error
    if type(other) is not type(model):
        raise ValueError(
            f"model {model.name!r} is a {type(model).__name__}, of which Keras "
            f"makes a {type(other).__name__} when it clones it; derive it from "
            "keras.Model, with call and get_config"
        )
    found, shapes = (
        [tuple(v.shape) for v in each.variables] for each in (other, model)
    )
    if found != shapes and not (replace and len(found) == len(shapes)):
        raise ValueError(
            f"a clone of model {model.name!r} has weights of shapes {found} "
            f"where the model has {shapes}; does its get_config return all "
            "that its constructor needs?"
        )
    keras_internals.copy_state(model, other)
    return other


def _functions(model: keras.Model) -> dict[str, Any]:
    """Returns the functions that layers were given, by their names.

    Raises:
        ValueError: two of them have one name, by which Keras finds them.
    """
    found: dict[str, Any] = {}
    for layer in keras_internals.all_layers(model):
        for value in vars(layer).values():
            if (
                not inspect.isfunction(value)
                or value.__name__ == "<lambda>"
                or str(value.__module__).startswith("keras.")
            ):
                continue
            if found.setdefault(value.__name__, value) is not value:
                raise ValueError(
                    f"two functions of its layers are called {value.__name__}; "
                    "give each a name of its own"
                )
    return found


def _cloned(model: keras.Model, replace: _Replace | None) -> keras.Model:
    if not getattr(model, "inputs", None):  # subclassed
        return keras.models.clone_model(model)

    def again(layer: keras.layers.Layer) -> keras.layers.Layer:
        new = replace and replace(layer)
        if new is not None:
            return new
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


def require_built(model: Any) -> None:
    """Refuses what is no model with weights, of a Keras that works here.

    Args:
        model: what was given as a model.

    Raises:
        ValueError: says what would do.
    """
    backend.require_tensorflow()
    backend.require_keras_3(model=model)
    if not isinstance(model, keras.Model):
        raise ValueError(f"model must be a keras.Model; received {model!r}")
    if not model.built:
        raise ValueError(
            f"model {model.name!r} has no weights yet; call "
            "model.build(shape), or call it on one batch, first"
        )


def require_clonable(model: keras.Model) -> None:
    """Refuses what clones would lack or share, or inner steps not call.

    Args:
        model: any built Keras model.

    Raises:
        ValueError: names the layer, the weight or the method.
    """
    name = model.name
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
