"""The inner loop and its optimizers, against NumPy and against Keras."""

import keras
import numpy as np
import oracle
import pytest
import tensorflow as tf

from reptile_tf import SGD, Adam
from reptile_tf.algorithms.inner_loop import InnerLoop, adapt
from reptile_tf.algorithms.losses import example_losses
from reptile_tf.models.functional import FunctionalModel

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
OPTIMIZERS = {
    "sgd": (SGD(0.1), lambda: oracle.SGD(0.1)),
    "adam": (Adam(0.02), lambda: oracle.Adam(0.02, 0.0, 0.999, 1e-8)),
    # An epsilon that matters, so that its place is tested.
    "adam with momentum": (
        Adam(0.02, 0.9, 0.99, 0.1),
        lambda: oracle.Adam(0.02, 0.9, 0.99, 0.1),
    ),
}


@pytest.fixture(scope="module")
def network():
    """The oracle's network in Keras: 3 inputs, 4 hidden units, 2 outputs."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="float64"),
            keras.layers.Dense(4, "tanh", dtype="float64"),
            keras.layers.Dense(2, dtype="float64"),
        ]
    )
    return FunctionalModel(model)


@pytest.fixture(scope="module")
def data():
    """(x, labels, targets, batches): 6 examples, 7 steps of 4."""
    rng = np.random.default_rng(0)
    batches = np.stack([rng.permutation(6)[:4] for _ in range(7)])
    return (
        rng.normal(size=(6, 3)),
        np.array([0, 1, 1, 0, 1, 0]),
        rng.normal(size=(6, 2)),
        batches.astype(np.int32),
    )


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("loss", ["cross entropy", "squared error"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_trajectories_are_numpys(network, data, optimizer, loss, reduction):
    x, labels, targets, batches = data
    ours, theirs = OPTIMIZERS[optimizer]
    classify = loss == "cross entropy"
    y = labels if classify else targets
    loop = InnerLoop(
        network,
        example_losses(CROSS_ENTROPY if classify else "mean_squared_error"),
        reduction,
        ours,
        *(1, 1),
    )
    phi = network.phi()
    start = network.model.get_weights()
    for steps in (1, 2, 7):
        weights, state, mean_loss = adapt(
            loop,
            phi,
            ours.init(phi),
            tf.constant(x),
            tf.constant(y),
            tf.constant(batches[:steps]),
            tf.constant([0, 0]),
        )
        optimizers = [theirs() for _ in start]
        expected, expected_loss = oracle.adapt(
            start, x, y, batches[:steps], optimizers, loss, reduction
        )
        for w, e in zip(network.unflatten(weights), expected, strict=True):
            np.testing.assert_allclose(w, e, rtol=1e-10)
        np.testing.assert_allclose(mean_loss, expected_loss, rtol=1e-10)
        if isinstance(ours, Adam):
            assert state.step == steps
            for v, o in zip(
                network.unflatten(state.second), optimizers, strict=True
            ):
                np.testing.assert_allclose(v, o.second, rtol=1e-10)
    # All of it on tensors: the model is as it was.
    for w, e in zip(network.model.get_weights(), start, strict=True):
        np.testing.assert_array_equal(w, e)


def test_compiled_and_split_in_two_it_is_the_same(network, data):
    """State handed back and passed in again goes on where it stopped."""
    x, labels, _, batches = data
    optimizer = Adam(0.02, 0.9)
    loop = InnerLoop(network, CROSS_ENTROPY.call, "sum", optimizer, 1, 1)
    phi = network.phi()
    arguments = tf.constant(x), tf.constant(labels)
    key = tf.constant([0, 0])
    whole = adapt(
        loop, phi, optimizer.init(phi), *arguments, tf.constant(batches), key
    )

    @tf.function(autograph=False, reduce_retracing=True)
    def compiled(weights, state, batches):
        return adapt(loop, weights, state, *arguments, batches, key)

    weights, state = phi, optimizer.init(phi)
    for part in (batches[:3], batches[3:]):
        weights, state, _ = compiled(weights, state, tf.constant(part))
    np.testing.assert_allclose(weights, whole[0], rtol=1e-12)
    for a, b in zip(state, whole[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_no_steps_leave_the_weights(network, data):
    x, labels, _, batches = data
    loop = InnerLoop(network, CROSS_ENTROPY.call, "sum", SGD(1.0), 1, 1)
    weights, _, _ = adapt(
        loop, network.phi(), (), x, labels, tf.constant(batches[:0]), [0, 0]
    )
    np.testing.assert_array_equal(weights, network.phi())


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (SGD(0.1), keras.optimizers.SGD(0.1)),
        (Adam(0.01), keras.optimizers.Adam(0.01, 0.0, 0.999, 1e-8)),
        (Adam(0.01, 0.9), keras.optimizers.Adam(0.01, 0.9, 0.999, 1e-8)),
        (
            Adam(0.01, 0.5, 0.9, 0.1),
            keras.optimizers.Adam(0.01, 0.5, 0.9, 0.1),
        ),
    ],
)
def test_optimizers_are_kerass(ours, theirs):
    gradients = np.random.default_rng(0).normal(size=(20, 5))
    weights = tf.ones([5])
    variable = keras.Variable(weights)
    theirs.build([variable])
    state = ours.init(weights)
    for gradient in tf.constant(gradients, tf.float32):
        weights, state = ours.update(gradient, state, weights)
        theirs.apply([gradient])
        np.testing.assert_allclose(weights, variable.value, rtol=1e-5)


def test_adam_keeps_no_first_moment_it_does_not_need():
    weights = tf.ones([5])
    assert Adam(0.01).init(weights).first.shape == [0]
    assert Adam(0.01, 0.9).init(weights).first.shape == [5]
    settings = Adam(0.01)
    assert (settings.beta_1, settings.beta_2) == (0.0, 0.999)  # the paper's
    assert settings.epsilon == 1e-8


@keras.saving.register_keras_serializable("test_inner_loop")
def absolute(y_true, y_pred):
    return tf.reduce_mean(tf.abs(y_pred - y_true), -1)


class Absolute(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return absolute(y_true, y_pred)


@pytest.mark.parametrize(
    "loss",
    [
        "mae",
        keras.losses.mean_absolute_error,
        keras.losses.MeanAbsoluteError(),
        # Keras's own reduction is not used; the learner's is.
        keras.losses.MeanAbsoluteError(reduction="sum"),
        absolute,
        Absolute(),
    ],
)
def test_a_loss_may_be_a_name_a_function_or_an_object(loss):
    y = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    outputs = y + [[1.0, -1.0], [2.0, 2.0], [0.0, -1.0]]
    np.testing.assert_array_equal(
        example_losses(loss)(y, outputs), [1.0, 2.0, 0.5]
    )
