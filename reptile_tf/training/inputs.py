"""Inputs in the forms that users have, as the tensors that a model takes."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.models import keras_internals


def as_inputs(model: keras.Model, x: Any, name: str = "x") -> Any:
    """Returns examples as tensors, in the structure that a model takes.

    Floats become float32, as Keras gives them to models; whole numbers stay
    whole, in 32 bits where they fit; strings stay strings.

    Args:
        model: the model that is to learn.
        x: an array `[n, ...]`; a dict, list or tuple of arrays for a model
            that takes several.
        name: of the argument.

    Raises:
        ValueError: names the input, what it is and what would do.
    """
    expected = keras_internals.inputs_of(model)
    several = isinstance(x, dict) or (
        isinstance(x, (list, tuple))
        and tf.nest.is_nested(expected)
        and len(tf.nest.flatten(expected)) > 1
    )
    # A subclassed model does not say; a tuple of arrays is no array.
    several |= isinstance(x, tuple) and expected is None
    if not several:
        made = _as_tensor(x, name)
    else:
        items = x.items() if isinstance(x, dict) else enumerate(x)
        made = {k: _as_tensor(part, f"{name}[{k!r}]") for k, part in items}
        if not isinstance(x, dict):
            made = type(x)(made.values())
    require_inputs(model, made, name)
    return made


def _as_tensor(x: Any, name: str) -> tf.Tensor:
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError(
            f"{name} must be an array, with rows of one length; received rows "
            "of several"
        ) from None
    kind: str = array.dtype.kind
    if kind == "O" and all(isinstance(v, str | bytes) for v in array.flat):
        kind = "U"
    if kind not in "biufUS" or not array.ndim:
        raise ValueError(
            f"{name} must be an array of numbers or of strings, one row for "
            f"each example; received {x!r:.80}"
        )
    if array.dtype == np.uint8 and array.ndim > 2:
        raise ValueError(
            f"{name} holds uint8 {list(array.shape)}, which may be pictures or "
            "whole numbers; give pictures as this learner's tasks have them, "
            "np.float32(x) / 255 for those of data sets, and others as "
            "x.astype('int32')"
        )
    if kind in "bf":
        array = array.astype(np.float32)
        if not np.isfinite(array).all():
            place = np.argwhere(~np.isfinite(array))[0]
            raise ValueError(
                f"{name} must be finite; {name}"
                f"[{', '.join(map(str, place))}] is {array[tuple(place)]}"
            )
    if kind in "iu":
        small = np.iinfo(np.int32)
        fits = not array.size or (
            small.min <= array.min() and array.max() <= small.max
        )
        array = array.astype(np.int32 if fits else np.int64)
    return tf.constant(array.tolist() if kind in "US" else array)


def require_inputs(model: keras.Model, x: Any, name: str) -> None:
    """Refuses inputs whose structure or shapes are not the model's.

    Args:
        model: the model that is to learn.
        x: tensors `[n, ...]`, or a structure of them.
        name: what they are, for the message.
    """
    expected = keras_internals.inputs_of(model)
    if expected is None:  # a subclassed model does not say what it takes
        return
    if not tf.nest.is_nested(x):
        leaves = tf.nest.flatten(expected)
        pairs = [(name, x, leaves[0])] if len(leaves) == 1 else None
    elif isinstance(x, dict):
        by_name = _by_name(model)
        same = set(x) == set(by_name)
        pairs = (
            [(f"{name}[{k!r}]", x[k], by_name[k]) for k in x] if same else None
        )
    else:
        leaves, parts = tf.nest.flatten(expected), tf.nest.flatten(x)
        numbered = enumerate(zip(parts, leaves, strict=False))
        pairs = [(f"{name}[{i}]", *p) for i, p in numbered]
        pairs = pairs if len(leaves) == len(parts) else None
    if pairs is None:
        raise ValueError(
            f"{name} must be the {len(model.inputs)} inputs of model "
            f"{model.name!r}: {_structure(model)}; received {_told(x)}"
        )
    for what, tensor, leaf in pairs:
        shape = tensor.shape[1:]
        if not shape.is_compatible_with(leaf.shape[1:]):
            raise ValueError(
                f"{what} must have inputs of shape {list(leaf.shape[1:])}, "
                f"which model {model.name!r} takes; received {list(shape)}"
            )


def _by_name(model: keras.Model) -> dict[Any, Any]:
    """Returns a model's inputs by the keys of a dict that it takes."""
    inputs = keras_internals.inputs_of(model)
    if isinstance(inputs, dict):
        return inputs
    return {tensor.name: tensor for tensor in model.inputs}


def _structure(model: keras.Model) -> str:
    inputs = keras_internals.inputs_of(model)
    if isinstance(inputs, dict):
        return f"a dict with the keys {sorted(inputs)}"
    return f"a list of arrays, for {[t.name for t in model.inputs]}"


def _told(x: Any) -> str:
    if isinstance(x, dict):
        return f"a dict with the keys {sorted(map(str, x))}"
    if tf.nest.is_nested(x):
        return f"a {type(x).__name__} of {len(x)}"
    return f"an array of shape {list(x.shape)}"
