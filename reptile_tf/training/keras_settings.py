"""What a saved learner depends on of Keras's configuration.

Once they are made, the package's own networks are the same under any
configuration: each layer knows its dtypes and its data format. Other models may
ask Keras whenever they compute, so a file says what Keras would have answered.
"""

import os
import reprlib
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.algorithms.losses import function_of
from reptile_tf.models import BatchNormalization, keras_internals
from reptile_tf.training.outputs import Outputs

_SETTINGS = {
    "floatx": keras.config.floatx,
    "epsilon": keras.config.epsilon,
    "image_data_format": keras.config.image_data_format,
}
# What asks Keras nothing once it is made.
_LAYERS = (
    keras.layers.InputLayer,
    keras.layers.Conv2D,
    keras.layers.Dense,
    keras.layers.BatchNormalization,
    BatchNormalization,
    keras.layers.Flatten,
    keras.layers.MaxPooling2D,
    keras.layers.ReLU,
)
_METRICS = (
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.MeanSquaredError,
)


def recorded(learner: Any) -> dict[str, Any]:
    """Returns the settings that a learner may depend on; none if it cannot.

    Args:
        learner: the `MetaLearner`.
    """
    if _asks_nothing(learner):
        return {}
    return {name: read() for name, read in _SETTINGS.items()}


def require_same(then: dict[str, Any], path: str | os.PathLike) -> None:
    """Refuses a learner that was saved under another configuration.

    Args:
        then: that `recorded` returned.
        path: of the file.

    Raises:
        ValueError: names the settings that differ, then and now; or it is
            nothing that `recorded` returned.
    """
    if not isinstance(then, dict) or not then.keys() <= _SETTINGS.keys():
        raise ValueError(
            f"{path}: keras of its learner.json must say no more than "
            f"{', '.join(_SETTINGS)}; received {reprlib.repr(then)}"
        )
    now = {name: _SETTINGS[name]() for name in then}
    others = [name for name in then if then[name] != now[name]]
    if others:
        told = [", ".join(f"{n}={x[n]}" for n in others) for x in (then, now)]
        calls = " and ".join(
            f"keras.config.set_{name}({then[name]!r})" for name in others
        )
        raise ValueError(
            f"{path} was saved where Keras was configured to {told[0]}; it is "
            f"to {told[1]} now, which the model may depend on. Call {calls} "
            "first, or set it in keras.json"
        )


def _asks_nothing(learner: Any) -> bool:
    """Returns whether Keras's configuration makes no difference to it."""
    layers = keras_internals.all_layers(learner.model)
    model, loss = layers[0], learner.loss
    if tf.nest.is_nested(loss) or not keras_internals.is_functional(model):
        return False
    logits = Outputs.of(loss)
    squares = function_of(loss) is keras.losses.mean_squared_error
    return (
        (logits == Outputs(True, True) or squares)
        and type(learner.metric) in _METRICS
        and all(type(layer) in _LAYERS for layer in layers[1:])
        and not any(v.constraint for v in model.trainable_variables)
        and all(
            getattr(layer.activation, "__module__", "").startswith("keras.")
            for layer in layers
            if hasattr(layer, "activation")
        )
        and not keras_internals.has_operations(model)
        and _exact(learner.meta_optimizer.get_config()["learning_rate"])
    )


def _exact(learning_rate: Any) -> bool:
    """Returns whether a learning rate is the same in every floatx.

    A schedule's is, which Keras computes in float32.
    """
    return isinstance(learning_rate, dict) or learning_rate == 1
