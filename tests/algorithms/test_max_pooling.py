"""Inner steps with max-pooling, whose gradient is a function of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from reptile_tf import Adam
from reptile_tf.algorithms import inner_loop
from reptile_tf.algorithms.losses import example_losses
from reptile_tf.models import max_pooling
from reptile_tf.models.functional import FunctionalModel


def loop_of(pooling):
    """An inner loop of a small picture network, of two kinds of layers."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16, 16, 1))])
    for _ in range(3):
        model.add(keras.layers.Conv2D(4, 3, padding="same"))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.ReLU())
        model.add(pooling(2))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return inner_loop.InnerLoop(
        FunctionalModel(model), example_losses(loss), "sum", Adam(0.01), 4, 3
    )


def adapted(loop):
    """(loop) -> a compiled adaptation of a weight vector, and the vector."""
    draw = np.random.default_rng(0)
    x = tf.constant(draw.normal(size=(6, 16, 16, 1)), tf.float32)
    y = tf.constant([0, 1, 2, 0, 1, 2])
    batches = tf.constant(draw.integers(0, 6, (4, 3)), tf.int32)
    phi = loop.model.phi()
    state = inner_loop.initial_state(loop.optimizer, phi)

    @tf.function(autograph=False)
    def adapt(weights):
        return inner_loop.adapt(
            loop, weights, state, x, y, batches, tf.constant([0, 1])
        )[0]

    return adapt, phi


def apart(compiled, phi):
    """Whether there are functions that TensorFlow optimizes apart."""
    graph = compiled.get_concrete_function(phi).graph.as_graph_def()
    return any("_noinline" in f.attr for f in graph.library.function)


def test_gradients_of_max_pooling_are_apart():
    assert apart(*adapted(loop_of(keras.layers.MaxPooling2D)))
    assert not apart(*adapted(loop_of(keras.layers.AveragePooling2D)))


def test_it_changes_no_bit(monkeypatch):
    ours, phi = adapted(loop_of(keras.layers.MaxPooling2D))
    monkeypatch.setattr(max_pooling, "is_plain", lambda layer: False)
    plain, _ = adapted(loop_of(keras.layers.MaxPooling2D))
    assert not apart(plain, phi)
    np.testing.assert_array_equal(ours(phi), plain(phi))


@pytest.mark.parametrize("traced_before", [False, True])
def test_one_can_differentiate_through_it(monkeypatch, traced_before):
    def derivative():
        adapt, phi = adapted(loop_of(keras.layers.MaxPooling2D))
        if traced_before:
            adapt(phi)
        with tf.GradientTape() as tape:
            tape.watch(phi)
            norm = tf.reduce_sum(adapt(phi) ** 2)
        return tape.gradient(norm, phi)

    ours = derivative()
    monkeypatch.setattr(max_pooling, "is_plain", lambda layer: False)
    np.testing.assert_allclose(ours, derivative(), 1e-3, 1e-4)
    assert np.any(ours)
