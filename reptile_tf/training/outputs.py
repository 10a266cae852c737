"""What a model's outputs mean, told from the loss that it learns with."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from reptile_tf.algorithms.losses import function_of, sums, takes_labels
from reptile_tf.models import keras_internals
from reptile_tf.utils import backend

# Kinds of targets that losses compare with.
LABELS, ONE_HOT, BINARY, NUMBERS, OWN = (
    "labels",
    "one-hot rows",
    "numbers from 0 to 1",
    "numbers",
    "anything",
)

_KINDS = {
    keras.losses.categorical_crossentropy: ONE_HOT,
    keras.losses.categorical_focal_crossentropy: ONE_HOT,
    keras.losses.binary_crossentropy: BINARY,
    keras.losses.binary_focal_crossentropy: BINARY,
    keras.losses.mean_squared_error: NUMBERS,
    keras.losses.mean_absolute_error: NUMBERS,
    keras.losses.mean_absolute_percentage_error: NUMBERS,
    keras.losses.mean_squared_logarithmic_error: NUMBERS,
    keras.losses.huber: NUMBERS,
    keras.losses.log_cosh: NUMBERS,
    keras.losses.poisson: NUMBERS,
    keras.losses.kl_divergence: NUMBERS,
    keras.losses.cosine_similarity: NUMBERS,
}


def kind(loss: Any) -> str:
    """Returns what targets a Keras loss compares with; `OWN` if unknown."""
    if takes_labels(loss):
        return LABELS
    return _KINDS.get(function_of(loss), OWN)


class Outputs(NamedTuple):
    """What outputs mean.

    Attributes:
        classifier: whether they are scores of classes, each example having one.
        logits: whether such scores are logits, and not probabilities.
    """

    classifier: bool
    logits: bool

    @classmethod
    def of(cls, loss: Any) -> "Outputs":
        """Returns what the outputs of a model with a loss mean.

        Args:
            loss: any Keras loss (name, function or object), of one output. A
                model with several outputs is no classifier.
        """
        if tf.nest.is_nested(loss):
            return cls(False, False)
        loss = keras.losses.get(loss)
        # The functions of Keras take probabilities if they are not told else.
        own = kind(loss) == OWN
        logits = getattr(loss, "from_logits", own)
        return cls(kind(loss) == LABELS, logits)


def loss_for(model: keras.Model, loss: Any) -> Any:
    """Returns the loss to learn with, which fits the end of the model.

    Args:
        model: the model that is to learn.
        loss: that was asked for; sparse categorical cross-entropy if None, of
            probabilities if the model ends in a softmax, of logits if not.

    Raises:
        ValueError: the loss takes logits where the model returns
            probabilities; or it is not structured like the outputs.
    """
    backend.require_keras_3(loss=loss)
    layers = keras_internals.output_layers(model)
    ends = [_end(layer) for layer in layers]
    if loss is None:
        if "sigmoid" in ends:
            raise ValueError(
                f"model {model.name!r} ends in a sigmoid, which loss=None is "
                "not for; give loss='binary_crossentropy', or leave the "
                "sigmoid out"
            )
        shape = getattr(model, "output_shape", None)
        if isinstance(shape, tuple) and shape[-1:] == (1,):
            raise ValueError(
                f"model {model.name!r} has one output, and loss=None is for "
                "an output for each of several classes; give loss='mse' for "
                "numbers, or keras.losses.BinaryCrossentropy(from_logits=True) "
                "for two classes"
            )
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=ends != ["softmax"]
        )
    loss = like_outputs(model, loss, "loss")
    losses = tf.nest.flatten(loss)
    if not tf.nest.is_nested(loss):
        losses = [loss] * len(ends)
    # A subclassed model does not say what it ends in.
    for one, end, layer in zip(losses, ends, layers, strict=False):
        known = one is not None and keras.losses.get(one)
        if end and getattr(known, "from_logits", False):
            raise ValueError(
                f"loss={type(known).__name__}(from_logits=True) takes logits, "
                f"but layer {layer.name!r}, the last of model {model.name!r}, "
                f"returns probabilities (activation={end!r}); use "
                "from_logits=False, or leave the activation out"
            )
    return loss


def require_reduction(loss: Any, loss_reduction: str) -> None:
    """Refuses a loss that sums its examples where their mean was asked for.

    Args:
        loss: the learner's.
        loss_reduction: the setting.
    """
    for one in tf.nest.flatten(loss):
        summed = isinstance(one, keras.losses.Loss) and sums(one)
        if summed and loss_reduction != "sum":
            raise ValueError(
                f"loss={type(one).__name__}(reduction={one.reduction!r}) adds "
                f"up what loss_reduction={loss_reduction!r} averages; leave "
                "one of them out"
            )


def _end(layer: keras.Operation) -> str | None:
    """Returns "softmax" or "sigmoid" where a layer makes probabilities."""
    layer = getattr(layer, "layer", layer)  # inside of TimeDistributed
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    if name is None:  # a layer, or an operation such as `keras.ops.softmax`
        name = type(layer).__name__.lower()
    return name if name in ("softmax", "sigmoid") else None


def like_outputs(model: keras.Model, each: Any, name: str) -> Any:
    """Returns what belongs to each output, structured like the outputs.

    Args:
        model: the model that is to learn.
        each: one for all, or one for each output: structured like the outputs,
            or a dict by their names.
        name: of the argument.

    Raises:
        ValueError: it is structured in another way.
    """
    outputs = keras_internals.outputs_of(model)
    if not tf.nest.is_nested(each) or outputs is None:
        return each
    if isinstance(each, dict) and isinstance(outputs, list | tuple):
        names = model.output_names
        if set(each) == set(names):
            return [each[key] for key in names]
    alike = isinstance(each, dict) == isinstance(outputs, dict)
    try:
        tf.nest.assert_same_structure(each, outputs, check_types=False)
    except (TypeError, ValueError):
        alike = False
    if not alike:
        told = tf.nest.map_structure(lambda _: f"a {name}", outputs)
        raise ValueError(
            f"{name} must be one for all outputs, or be structured like the "
            f"outputs of model {model.name!r}: {told}; received {each!r}"
        )
    return each
