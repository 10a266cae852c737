"""Keras losses, with the examples of a mini-batch left apart."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.models import keras_internals


def example_losses(loss: Any) -> Callable[[Any, Any], tf.Tensor]:
    """Returns (targets, outputs) -> loss of each example, `[batch]`.

    The mean over a batch is what `fit` of Keras descends: targets and outputs
    are matched in rank, masked entries do not count, and a function that
    returns one number for a batch stands for that number for each example.
    An example that has several losses, such as one for each step of a
    sequence, counts with their mean.

    Args:
        loss: any Keras loss (name, function or object). For a model with
            several outputs, one for all, or a structure like the outputs';
            None where an output is not learned; their losses are added.
    """
    if not tf.nest.is_nested(loss):
        one = _of_one_output(loss)

        def all_alike(y, outputs):
            y, outputs = tf.nest.flatten(y), tf.nest.flatten(outputs)
            return sum(one(*pair) for pair in zip(y, outputs, strict=True))

        return all_alike

    each = [
        x if x is None else _of_one_output(x) for x in tf.nest.flatten(loss)
    ]

    def apart(y, outputs):
        triples = zip(
            each, tf.nest.flatten(y), tf.nest.flatten(outputs), strict=True
        )
        return sum(one(y, output) for one, y, output in triples if one)

    return apart


def _of_one_output(loss: Any) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    loss = keras.losses.get(loss)
    is_object = isinstance(loss, keras.losses.Loss)
    summed = is_object and sums(loss)
    # A class that defines how it is called does all by itself.
    whole = is_object and type(loss).__call__ is not keras.losses.Loss.__call__
    over_entries = tf.reduce_sum if summed else tf.reduce_mean

    def losses(y, outputs):
        if not takes_labels(loss):
            y = tf.cast(y, outputs.dtype)  # as Keras gives targets to losses
        if whole:
            values = loss(y, outputs)
        elif is_object:
            values = loss.call(y, outputs)
        else:
            values = loss(*keras_internals.same_rank(y, outputs))
        masks = map(keras_internals.mask_of, (outputs, values))
        known = [mask for mask in masks if mask is not None and not whole]
        mask = functools.reduce(operator.and_, known) if known else None
        values = tf.cast(values, outputs.dtype)
        if values.shape.rank == 0:
            size = tf.shape(outputs)[:1]
            if summed:
                values /= tf.cast(size[0], values.dtype)
            return tf.fill(size, values)
        if mask is not None:
            values = _masked(values, mask, summed)
        if values.shape.rank == 1:
            return values
        return over_entries(values, list(range(1, values.shape.rank)))

    return losses


def sums(loss: keras.losses.Loss) -> bool:
    """Returns whether a loss adds up what others average.

    Without a reduction it does: the gradient of several losses is of their sum.
    """
    return loss.reduction in ("sum", "none", None)


def takes_labels(loss: Any) -> bool:
    """Returns whether a loss compares with labels, which are whole numbers.

    Args:
        loss: a Keras loss, of one output.
    """
    return function_of(loss) is keras.losses.sparse_categorical_crossentropy


def function_of(loss: Any) -> Any:
    """Returns the function that a Keras loss calls, where it says so.

    Args:
        loss: a Keras loss, of one output.
    """
    loss = keras.losses.get(loss)
    return getattr(loss, "fn", loss)


def _masked(values: tf.Tensor, mask: tf.Tensor, summed: bool) -> tf.Tensor:
    """Returns losses whose mean is that of the entries that count."""
    values, mask = keras_internals.same_rank(values, mask)
    counts = tf.cast(mask, values.dtype)
    if not summed:
        mean = tf.reduce_mean(tf.broadcast_to(counts, tf.shape(values)))
        counts = tf.math.divide_no_nan(counts, mean)
    return values * counts
