"""Targets in the forms that users have, as the tensors that losses take."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reptile_tf.training import outputs


def convert(
    y: Any, x: Any, shapes: Any, loss: Any, dtype: tf.DType, name: str = "y"
) -> Any:
    """Returns targets as tensors; refuses what cannot be learned from.

    Args:
        y: labels or targets, in the structure of the model's outputs.
        x: their examples.
        shapes: `tf.TensorShape`s of the outputs of one example, so structured.
        loss: the learner's.
        dtype: of targets that are not labels.
        name: of the argument.

    Returns:
        int32 labels for a loss that takes labels, and else numbers of `dtype`,
        structured like `shapes`.

    Raises:
        ValueError: names the value and its place.
    """
    if not tf.nest.is_nested(shapes):
        return _convert_one(y, x, shapes, loss, dtype, name)
    try:
        pairs = _pairs(y, shapes)
    except LookupError:
        told = tf.nest.map_structure(_shape, shapes)
        raise ValueError(
            f"{name} must be structured like the model's outputs, {told}; "
            f"received {_told(y)}"
        ) from None
    losses = tf.nest.flatten(loss)
    if not tf.nest.is_nested(loss):
        losses = [loss] * len(pairs)
    converted = [
        # What is not learned may be anything of the right shape.
        _convert_one(part, x, shape, one or keras.losses.MSE, dtype, name)
        for (part, shape), one in zip(pairs, losses, strict=True)
    ]
    return tf.nest.pack_sequence_as(shapes, converted)


def _pairs(y: Any, shapes: Any) -> list[tuple[Any, tf.TensorShape]]:
    """Returns (targets, shape) for each output, in TensorFlow's order.

    Raises:
        LookupError: they are structured in different ways.
    """
    if isinstance(shapes, tf.TensorShape):
        return [(y, shapes)]
    named = isinstance(shapes, dict)
    keys = sorted(shapes) if named else range(len(shapes))
    fits = isinstance(y, dict if named else list | tuple)
    if not fits or (set(y) != set(keys) if named else len(y) != len(keys)):
        raise LookupError
    return [pair for key in keys for pair in _pairs(y[key], shapes[key])]


def from_names(y: Any, loss: Any) -> tuple[Any, list[str]]:
    """Returns labels that are strings as whole numbers, and their names.

    Args:
        y: labels `[n]`, or anything else, which is returned as it is.
        loss: the learner's.

    Returns:
        (y, names): label i stands for names[i]; there are no names if y does
        not hold strings, or the loss does not take labels.
    """
    if tf.nest.is_nested(loss) or outputs.kind(loss) != outputs.LABELS:
        return y, []
    if hasattr(y, "__array__"):  # also a column of pandas
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "OSU":
            y = y[:, 0]
        labels = y.tolist() if y.ndim == 1 and y.dtype.kind in "OSU" else []
    else:
        labels = list(y) if isinstance(y, list | tuple) else []
    if not labels or not all(isinstance(x, str | bytes) for x in labels):
        return y, []
    texts = [x.decode() if isinstance(x, bytes) else str(x) for x in labels]
    names, numbers = np.unique(texts, return_inverse=True)
    return numbers, names.tolist()


def _told(y: Any) -> str:
    if isinstance(y, dict):
        return f"a dict with the keys {sorted(y)}"
    if isinstance(y, (list, tuple)):
        return f"a {type(y).__name__} of {len(y)}"
    return f"an array of shape {list(np.shape(y))}"


def _convert_one(y, x, shape, loss, dtype, name) -> tf.Tensor:
    y = np.asarray(y)
    sizes = {len(part) for part in tf.nest.flatten(x)}
    if not y.ndim or sizes != {len(y)} or not len(y):
        found = " and ".join(map(str, sorted(sizes)))
        raise ValueError(
            f"x and {name} must have the same length, at least 1; received "
            f"{found} and {len(y) if y.ndim else 'one number'}"
        )
    if y.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be numbers; received {y.dtype} {list(y.shape)}, such "
            f"as {y.flat[0]!r}"
        )
    kind = outputs.kind(loss)
    if kind == outputs.LABELS:
        ignored = getattr(loss, "ignore_class", None)
        return tf.constant(_labels(y, shape, name, ignored), tf.int32)
    if kind == outputs.OWN:
        whole = y.dtype.kind in "iu"
        return tf.constant(y, tf.int32 if whole else dtype)
    return tf.constant(_numbers(y, shape, kind, loss, name), dtype)


def _labels(
    y: np.ndarray, shape: tf.TensorShape, name: str, ignored: int | None
) -> np.ndarray:
    """Returns labels `[n]`, or of each step `[n, ...]`, from 0 to ways - 1."""
    ways, steps = shape[-1], shape[:-1].as_list()
    if _fits(y, [*steps, ways]) and ways > 1 and _is_one_hot(y):
        y = y.argmax(-1)
    elif _fits(y, [*steps, 1]):
        y = y[..., 0]
    if not _fits(y, steps):
        raise ValueError(
            f"{name} must be labels of shape {_shape(steps)}, or one-hot rows "
            f"of shape {_shape([*steps, ways])}, for the {ways} outputs of the "
            f"model; received {list(y.shape)}"
        )
    wrong = ~((y >= 0) & (y < ways) & (y == np.floor(y)))
    if ignored is not None:  # a label that the loss does not count
        wrong &= y != ignored
    if wrong.any():
        raise ValueError(
            f"{name} must be labels, whole numbers from 0 to {ways - 1} for "
            f"the {ways} outputs of the model; {_place(name, y, wrong)}"
        )
    return y


def _numbers(y, shape, kind, loss, name) -> np.ndarray:
    """Returns targets in the shape of the outputs."""
    if shape.rank and shape[-1] == 1 and _fits(y, shape[:-1].as_list()):
        y = y[..., np.newaxis]
    elif _fits(y, [*shape, 1]):
        y = y[..., 0]
    if not _fits(y, shape):
        hint = ""
        if kind == outputs.ONE_HOT and _fits(y, shape[:-1].as_list()):
            hint = "; make them with keras.utils.to_categorical, or use "
            hint += "SparseCategoricalCrossentropy, which takes labels"
        raise ValueError(
            f"{name} must have shape {_shape(shape)}, as the model's outputs, "
            f"for loss={_loss_name(loss)}; received {list(y.shape)}{hint}"
        )
    bounded = kind in (outputs.BINARY, outputs.ONE_HOT)
    wrong = ~np.isfinite(y) | (bounded & ~((y >= 0) & (y <= 1)))
    if wrong.any():
        what = "from 0 to 1" if bounded else "finite"
        raise ValueError(
            f"{name} must be numbers, {what}, for loss={_loss_name(loss)}; "
            f"{_place(name, y, wrong)}"
        )
    return y


def _fits(y: np.ndarray, shape: Any) -> bool:
    return tf.TensorShape(y.shape[1:]).is_compatible_with(shape)


def _is_one_hot(y: np.ndarray) -> bool:
    return bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(-1) == 1))


def _shape(shape: Any) -> str:
    sizes = ["n", *("any" if size is None else str(size) for size in shape)]
    return f"[{', '.join(sizes)}]"


def _place(name: str, y: npt.NDArray, wrong: npt.NDArray) -> str:
    """Returns the first wrong value and where it is."""
    place = np.argwhere(wrong)[0]
    return f"{name}[{', '.join(map(str, place))}] is {y[tuple(place)]}"


def _loss_name(loss: Any) -> str:
    loss = keras.losses.get(loss)
    return str(getattr(loss, "name", getattr(loss, "__name__", loss)))
