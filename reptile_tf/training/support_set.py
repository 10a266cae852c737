"""A user's examples of a new task, as a learner learns from them."""

from typing import Any

import keras
import tensorflow as tf

from reptile_tf.models.faithful import require_faithful
from reptile_tf.models.shapes import output_shape
from reptile_tf.training import inputs, targets


def convert(learner: Any, x: Any, y: Any) -> tuple[Any, Any, list[str]]:
    """Returns examples and their targets as tensors, and the classes' names.

    Args:
        learner: the `MetaLearner`.
        x: as of `MetaLearner.adapt`.
        y: likewise.

    Returns:
        (x, y, names); no names where labels are no strings.

    Raises:
        ValueError: x or y is not what model and loss take, strings name more
            or fewer classes than there are outputs, or the model was changed.
    """
    model, loss = learner.model, learner.loss
    learner.functional.require_unchanged()
    x = inputs.as_inputs(model, x)
    require_faithful(learner.functional, x)
    y, names = targets.from_names(y, loss)
    shapes = output_shape(model, x)
    if names and isinstance(shapes, tf.TensorShape):
        _require_as_many(names, shapes[-1], model)
    y = targets.convert(y, x, shapes, loss, learner.functional.dtype)
    return x, y, names


def _require_as_many(names: list[str], ways: int, model: keras.Model) -> None:
    """Refuses classes that are not as many as the model has outputs."""
    if len(names) != ways:
        raise ValueError(
            f"y has the labels of {len(names)} classes, {names!r:.80}, and "
            f"model {model.name!r} has {ways} outputs; "
            f"reptile_tf.training.ways.with_ways(learner, {len(names)}) is a "
            "learner of as many, if the model ends in a dense layer"
        )
