"""A learner of N classes as a learner of fewer or more."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.models import keras_internals
from reptile_tf.models.cloning import clone
from reptile_tf.training.learner import MetaLearner


def with_ways(learner: MetaLearner, ways: int) -> MetaLearner:
    """Returns a learner that tells another number of classes apart.

    Which class of a training task gets which label is random, so the outputs
    of a meta-learned last layer are all alike in what they stand for. Fewer
    classes take the first of them, and each class more starts from their mean.
    The inner optimizer's moments go the same way.

    Args:
        learner: whose model ends in a dense layer with an output for each
            class.
        ways: the number of classes, at least 2.

    Returns:
        The learner itself if it has so many outputs; another one, whose model
        is a clone, if not.

    Raises:
        ValueError: `ways` is below 2, or the last layer is another.
    """
    if ways < 2:
        raise ValueError(f"ways must be at least 2; received {ways}")
    if getattr(learner.model, "output_shape", (0,))[-1] == ways:
        return learner
    head = _head(learner.model)

    def resized_head(layer: keras.layers.Layer) -> keras.layers.Layer | None:
        if layer is not head:
            return None
        return type(layer).from_config(layer.get_config() | {"units": ways})

    model = clone(learner.model, resized_head)
    own = {id(v) for v in head.variables}

    def resized(tensor: Any, variable: keras.Variable) -> Any:
        if id(variable) not in own:
            return tensor
        mean = tf.reduce_mean(tensor, -1, keepdims=True)
        more = [mean] * max(0, ways - head.units)
        return tf.concat([tensor[..., :ways], *more], -1)

    for old, new in zip(learner.model.variables, model.variables, strict=True):
        if id(old) in own:
            new.assign(resized(old.value, old))
    other = MetaLearner(
        model,
        inner_optimizer=learner.inner_optimizer,
        algorithm=learner.algorithm,
        loss=learner.loss,
        metric=learner.metric,
        **dataclasses.asdict(learner.settings),
    )
    other.iteration = learner.iteration

    def moment(vector: tf.Tensor) -> tf.Tensor:
        if vector.shape != [learner.functional.size]:
            return vector
        tensors = learner.functional.unflatten(vector)
        variables = learner.model.trainable_variables
        return other.functional.flatten(
            [resized(t, v) for t, v in zip(tensors, variables, strict=True)]
        )

    other.inner_state = tf.nest.map_structure(moment, learner.inner_state)
    return other


def _head(model: keras.Model) -> keras.layers.Dense:
    heads = keras_internals.last_layers(model)
    found = next(iter(heads)) if len(heads) == 1 else None
    if not isinstance(found, keras.layers.Dense):
        raise ValueError(
            f"the number of classes of model {model.name!r} cannot be changed: "
            "its last layer with weights must be a Dense layer of a functional "
            f"or sequential model; found {found!r}"
        )
    return found
