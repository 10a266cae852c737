"""The metric of one task's queries."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.data.task import Task
from reptile_tf.training import outputs as meaning
from reptile_tf.utils import backend


@keras.saving.register_keras_serializable("reptile_tf")
class OfOneOutput(keras.metrics.Metric):
    """The metric of one of a model's several outputs.

    Args:
        metric: of the output.
        place: which output it is, counted in Keras's order from 0.
        name: of the metric; that of `metric` if None.
    """

    def __init__(
        self, metric: Any, place: int, name: str | None = None, **kwargs: Any
    ):
        if isinstance(metric, dict):
            metric = keras.saving.deserialize_keras_object(metric)
        super().__init__(name=name or metric.name, **kwargs)
        self.metric, self.place = metric, place

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Takes the one output, and its targets, into account."""
        y, output = (
            tf.nest.flatten(values)[self.place] for values in (y_true, y_pred)
        )
        self.metric.update_state(y, output, sample_weight)

    def result(self) -> Any:
        """Returns the metric of the output."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forgets what it was updated with."""
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the metric again."""
        metric = keras.saving.serialize_keras_object(self.metric)
        own = {"metric": metric, "place": self.place}
        return super().get_config() | own


def resolve(metric: Any, loss: Any, model: keras.Model) -> keras.metrics.Metric:
    """Returns the metric that was asked for.

    Args:
        metric: any Keras metric (name or object); accuracy if None. For a
            model with several outputs, a list or dict of one metric, with
            None for the other outputs.
        loss: the learner's loss.
        model: the model that is to learn.

    Raises:
        ValueError: the metric is left to the loss, which does not take labels;
            or it is not of one output.
    """
    backend.require_keras_3(metric=metric)
    metric = meaning.like_outputs(model, metric, "metric")
    if tf.nest.is_nested(metric):
        return _of_one_output(tf.nest.flatten(metric), metric, loss)
    several = len(getattr(model, "outputs", None) or ()) > 1
    if several and not isinstance(metric, keras.metrics.Metric):
        raise ValueError(
            f"metric={metric!r} must say which of the model's outputs it is "
            "of; give a list or dict like the outputs, with one metric and "
            "None for the others"
        )
    return _for_loss(metric, loss)


def _for_loss(metric: Any, loss: Any) -> keras.metrics.Metric:
    """Returns the metric of what is learned with a loss."""
    if metric not in (None, "accuracy", "acc"):
        return _as_metric(metric)
    kind = meaning.OWN if tf.nest.is_nested(loss) else meaning.kind(loss)
    if kind == meaning.LABELS:
        return keras.metrics.SparseCategoricalAccuracy("accuracy", "float32")
    if kind == meaning.ONE_HOT:
        return keras.metrics.CategoricalAccuracy("accuracy", "float32")
    if kind == meaning.BINARY:
        threshold = 0.0 if meaning.Outputs.of(loss).logits else 0.5
        return keras.metrics.BinaryAccuracy("accuracy", "float32", threshold)
    raise ValueError(
        f"metric={metric!r} is not known for loss={loss!r}; give a metric, "
        "such as keras.metrics.MeanSquaredError()"
    )


def _of_one_output(
    each: Sequence[Any], metric: Any, loss: Any
) -> keras.metrics.Metric:
    places = [i for i, one in enumerate(each) if one is not None]
    if len(places) != 1:
        raise ValueError(
            "metric must be of one output, and None for the others; received "
            f"{metric!r}"
        )
    [place] = places
    if tf.nest.is_nested(loss):
        loss = tf.nest.flatten(loss)[place]
    return OfOneOutput(_for_loss(each[place], loss), place)


def _as_metric(metric: Any) -> keras.metrics.Metric:
    """Returns a metric, also of a function of targets and outputs."""
    metric = keras.metrics.get(metric)
    if isinstance(metric, keras.metrics.Metric):
        return metric
    return keras.metrics.MeanMetricWrapper(metric, name=metric.__name__)


def of_the_task(outputs: tf.Tensor, task: Task, varied: bool) -> tf.Tensor:
    """Returns outputs without those of classes that a task does not have.

    Where tasks vary in their number of classes, the model has outputs for the
    most; a class that is not in the support set is no answer.

    Args:
        outputs: of the adapted model, `[Q, outputs]`.
        task: that they are of.
        varied: whether tasks vary in their number of classes.
    """
    if not varied:
        return outputs
    present = tf.reduce_max(tf.one_hot(task.support_y, outputs.shape[-1]), 0)
    return tf.where(present > 0, outputs, outputs.dtype.min)


def measure(metric: keras.metrics.Metric, y: Any, outputs: Any) -> tf.Tensor:
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
    if value.shape.rank:
        raise ValueError(
            f"metric={metric.name!r} must return one number; it returns "
            f"{value.shape.as_list()}; does it have an argument average?"
        )
    finite = tf.reduce_all(
        [tf.reduce_all(tf.math.is_finite(o)) for o in tf.nest.flatten(outputs)]
    )
    # 0 / 1 or 0 / 0: a NaN of its own, `tf.debugging.enable_check_numerics`
    # would take for a fault.
    return value + 0.0 / tf.cast(finite, tf.float32)
