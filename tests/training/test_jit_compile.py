"""What XLA compiles is the same within rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import regression

import reptile_tf as rt
from reptile_tf import algorithms


def network(convolutional):
    """The layers of the Omniglot network, each once, or the last alone."""
    inputs = x = keras.Input((8, 8, 1))
    if convolutional:
        x = keras.layers.Conv2D(2, 3, strides=2, padding="same")(x)
        x = keras.layers.ReLU()(rt.models.BatchNormalization()(x))
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    return keras.Model(inputs, outputs)


def trained(algorithm, mode, tasks, jit_compile):
    keras.utils.set_random_seed(0)
    learner = rt.MetaLearner(
        network(algorithm in ("reptile", "maml")),  # which take seconds more
        inner_optimizer=rt.SGD(0.01),
        algorithm=algorithm,
        inner_steps=3,
        inner_batch_size=4,
        meta_batch_size=2,
        meta_batch_mode=mode,
        jit_compile=jit_compile,
    )
    history = learner.fit(tasks, 2, verbose=0).history
    return learner.functional.phi(), history["loss"], learner


# The two kinds of steps; the others are made of these.
_FIRST = ("reptile", "serial"), ("maml", "parallel")
_OTHERS = [
    (name, mode)
    for name in (*algorithms.NAMED, "1,0,1")
    for mode in ("serial", "parallel")
    if (name, mode) not in _FIRST
]


@pytest.mark.parametrize(
    "algorithm, mode",
    [*_FIRST, *(pytest.param(*o, marks=pytest.mark.long) for o in _OTHERS)],
)
def test_every_algorithm_is_the_same(algorithm, mode, classes, request):
    tasks = rt.Episodes(classes, ways=3, shots=4)
    phi, loss, _ = trained(algorithm, mode, tasks, True)
    request.getfixturevalue("eagerly")  # which is the same but for rounding
    other, other_loss, _ = trained(algorithm, mode, tasks, False)
    np.testing.assert_allclose(phi, other, atol=1e-6)
    np.testing.assert_allclose(loss, other_loss, rtol=1e-5)


class Spelled(keras.layers.Layer):
    """Uses an operation that XLA does not know."""

    def call(self, x):
        words = tf.strings.as_string(tf.stop_gradient(x))
        return x * tf.cast(tf.strings.length(words) > 0, x.dtype)


def test_a_model_that_xla_cannot_compile_is_refused_by_name():
    model = keras.Sequential(
        [keras.Input((1,)), Spelled(), keras.layers.Dense(1)], name="mine"
    )
    learner = regression(model, jit_compile=True)
    with pytest.raises(ValueError, match="jit_compile=True.*String.*'mine'"):
        learner.fit(rt.SineWaves(4), 1, verbose=0)
    assert learner.iteration == 0


def test_it_is_saved(tmp_path):
    learner = regression(rt.models.sine_mlp(), jit_compile=True)
    learner.save(tmp_path / "learner.zip")
    loaded = rt.MetaLearner.load(tmp_path / "learner.zip")
    assert loaded.settings.jit_compile
