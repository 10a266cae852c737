"""Models and tasks small enough to compute by hand."""

import keras
import numpy as np
import tensorflow as tf

from reptile_tf import SGD, MetaLearner, Task, models
from reptile_tf.utils import random


class Constants:
    """Regression tasks of one example: at x = 1, task i answers targets[i]."""

    input_shape = (1,)

    def __init__(self, *targets):
        self._targets = tf.constant(targets, tf.float32)

    def sample(self, index):
        x = tf.ones([1, 1])
        y = tf.reshape(tf.gather(self._targets, index), [1, 1])
        return Task(x, y, x, y, random.fold_in(0, index))


def one_weight(value=0.0, dtype="float32") -> keras.Model:
    """The model y = w x."""
    model = keras.Sequential(
        [
            keras.Input((1,), dtype=dtype),
            keras.layers.Dense(1, use_bias=False, dtype=dtype),
        ]
    )
    model.set_weights([np.full([1, 1], value)])
    return model


def weight(model) -> float:
    """The one weight of such a model."""
    return model.get_weights()[0].item()


def regression(model=None, **settings) -> MetaLearner:
    """A learner of `Constants`.

    On target c the loss is (w - c)^2 and its gradient 2 (w - c), so that a
    step of SGD(0.25) halves the distance to c. All numbers that come of it
    are exact in float32.
    """
    return MetaLearner(
        one_weight() if model is None else model,
        metric=keras.metrics.MeanSquaredError(name="mse"),
        inner_batch_size=1,
        **{
            "loss": "mean_squared_error",
            "inner_optimizer": SGD(0.25),
            **settings,
        },
    )


def dense(*layers, ways=3, seed=0, shape=(8, 8, 1)) -> keras.Model:
    """Layers before a dense one, for the 8x8 images of the `classes`."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input(shape),
            *layers,
            keras.layers.Flatten(),
            keras.layers.Dense(ways),
        ]
    )


def snapshot(learner) -> list:
    """Everything that training changes, as arrays."""
    return [
        *learner.model.get_weights(),
        *(t.numpy() for t in tf.nest.flatten(learner.inner_state)),
        *(v.numpy() for v in learner.meta_optimizer.variables),
    ]


def small_network(ways: int, image_shape=(28, 28, 1)) -> keras.Model:
    """Takes a third of the time of the networks that the presets name."""
    conv = keras.layers.Conv2D(2, 3, strides=4)
    norm = models.BatchNormalization()
    return dense(conv, norm, ways=ways, shape=image_shape)
