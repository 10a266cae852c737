"""The metric of one task's queries."""

from typing import Any

import keras
import tensorflow as tf

from reptile_tf.data.task import Task, Tasks


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


def of_the_task(outputs: tf.Tensor, task: Task, tasks: Tasks) -> tf.Tensor:
    """Returns outputs without those of classes that a task does not have.

    Where tasks vary in their number of classes, the model has outputs for the
    most; a class that is not in the support set is no answer.

    Args:
        outputs: of the adapted model, `[Q, outputs]`.
        task: that they are of.
        tasks: the distribution that it comes from.
    """
    if not getattr(tasks, "varied", False):
        return outputs
    present = tf.reduce_max(tf.one_hot(task.support_y, outputs.shape[-1]), 0)
    return tf.where(present > 0, outputs, outputs.dtype.min)


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
