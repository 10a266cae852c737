"""The metric of one task's queries."""

from typing import Any

import keras
import tensorflow as tf


def resolve(metric: Any, loss: Any) -> keras.metrics.Metric:
    """Returns the metric that was asked for.

    Args:
        metric: any Keras metric (name or object); accuracy if None.
        loss: the learner's loss.

    Raises:
        ValueError: the metric is left to the loss, which does not take labels.
    """
    if metric not in (None, "accuracy", "acc"):
        return keras.metrics.get(metric)
    function = keras.losses.sparse_categorical_crossentropy
    of_labels = keras.losses.SparseCategoricalCrossentropy
    known = keras.losses.get(loss)
    if not isinstance(known, of_labels) and known is not function:
        raise ValueError(
            f"metric={metric!r} is not known for loss={loss!r}; give a metric, "
            "such as keras.metrics.MeanSquaredError()"
        )
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def measure(
    metric: keras.metrics.Metric, y: tf.Tensor, outputs: tf.Tensor
) -> tf.Tensor:
    """Returns the metric over one task's queries, a float32 scalar.

    It is NaN if an output is not finite; an accuracy would not tell.

    Args:
        metric: whose state is neither read nor written.
        y: targets `[Q, ...]`.
        outputs: of the adapted model, `[Q, ...]`.
    """
    state = metric.stateless_reset_state()
    state = metric.stateless_update_state(state, y, outputs)
    value = tf.cast(metric.stateless_result(state), tf.float32)
    finite = tf.reduce_all(tf.math.is_finite(outputs))
    return tf.where(finite, value, float("nan"))
