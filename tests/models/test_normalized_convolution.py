"""A convolution and its batch normalization as one function are the two."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import reptile_tf as rt
from reptile_tf.models import convolution
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.models.normalized_convolution import Convolution
from reptile_tf.utils import random


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])


def one_after_another(made, gamma, beta, epsilon):
    """What the function is, from its definition."""
    y = tf.nn.conv2d(made.inputs, made.kernel, **made.how) + made.bias
    mean = tf.reduce_mean(y, [0, 1, 2])
    variance = tf.reduce_mean((y - mean) ** 2, [0, 1, 2])
    normal = (y - mean) / tf.sqrt(variance + epsilon)
    return gamma * normal + beta, mean, variance


def as_one(made, gamma, beta, epsilon):
    return made.normalized(gamma, beta, epsilon)


def derivatives(function, made, gamma, beta, weights):
    """Returns what it returns, its derivatives, and a function's of those."""
    given = [made.kernel, gamma, beta]
    with tf.GradientTape() as outer:
        outer.watch(given)
        with tf.GradientTape() as inner:
            inner.watch(given)
            normal, mean, variance = function(made, gamma, beta, 1e-3)
            loss = tf.reduce_sum(tf.sin(normal) * weights)
        first = inner.gradient(loss, given)
        size = sum(tf.reduce_sum(tf.sin(3 * g)) for g in first)
    return [normal, mean, variance, *first, *outer.gradient(size, given)]


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("strides", [1, 2, (2, 3)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_all_derivatives_are_right(channels, kernel, strides, padding, graph):
    rng = np.random.default_rng(0)
    x, k, b, gamma, beta = (
        tf.constant(rng.normal(size=shape), tf.float64)
        for shape in ((3, 7, 8, channels), (*kernel, channels, 5), 5, 5, 5)
    )
    made = Convolution(x, k, b, {"strides": strides, "padding": padding})
    shape = tf.nn.conv2d(x, k, **made.how).shape
    arguments = made, gamma, beta, tf.constant(rng.normal(size=shape))
    expected = derivatives(one_after_another, *arguments)
    ours = tf.function(derivatives, autograph=False) if graph else derivatives
    for mine, theirs in zip(ours(as_one, *arguments), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


def error(found, exact):
    return np.abs(found - np.asarray(exact)).max() / np.abs(exact).max()


@pytest.mark.parametrize("offset", [0, 1000])
def test_rounding_errors_are_small(offset):
    """Of pixels far from 0, too, whose squares hide how they differ."""
    rng = np.random.default_rng(0)
    x = rng.normal(offset, 1, (3, 20, 20, 3))
    k = rng.normal(size=(3, 3, 3, 32))
    weights = rng.normal(size=(3, 20, 20, 32))
    found = {}
    for dtype, function in (
        ("float32", as_one),
        ("float64", one_after_another),
    ):
        made = Convolution(
            *(tf.constant(a, dtype) for a in (x, k, np.zeros(32))),
            {"strides": 1, "padding": "SAME"},
        )
        with tf.GradientTape() as tape:
            tape.watch(made.kernel)
            normal, *_ = function(
                made, tf.ones([32], dtype), tf.ones([32], dtype), 1e-3
            )
            loss = tf.reduce_sum(normal * tf.constant(weights, dtype))
        found[dtype] = normal, tape.gradient(loss, made.kernel)
    for single, double in zip(*found.values(), strict=True):
        assert error(single, double) < 1e-5


OURS = rt.models.BatchNormalization
KERASS = keras.layers.BatchNormalization


def network(*, before=(), filters=9, between=(), norm=OURS, **settings):
    layers = [
        keras.layers.Conv2D(filters, 3, **settings),
        *between,
        norm(),
        keras.layers.ReLU(),
        keras.layers.Conv2D(9, 3),
        norm(),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]
    return keras.Sequential([keras.Input((9, 9, 1)), *before, *layers])


def step(model):
    """Returns a compiled step: weights and inputs to outputs and gradients."""

    @tf.function(autograph=False)
    def compiled(weights, x):
        others = [v.value for v in model.non_trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs, others = model.stateless_call(
                weights, others, x, training=True
            )
            loss = tf.reduce_sum(outputs[:, 0] ** 2)
        return (
            outputs,
            others,
            tape.gradient(loss, weights, unconnected_gradients="zero"),
        )

    return compiled


def normalizations(compiled, *arguments):
    """Returns how many batch normalizations it makes by TensorFlow's."""
    graph = compiled.get_concrete_function(*arguments).graph
    kinds = [node.op for node in graph.as_graph_def().node]
    return kinds.count("FusedBatchNormV3")


@pytest.mark.parametrize(
    ("settings", "ones"),
    [
        ({}, 1),
        ({"use_bias": False, "strides": 2, "padding": "same"}, 1),
        ({"before": [keras.layers.Rescaling(1 / 3)]}, 1),
        ({"filters": 5}, 1),
        ({"filters": 4}, 0),  # whose patches have 9 pixels
        ({"before": [keras.layers.Dense(1)]}, 0),  # which takes a gradient
        ({"activation": "tanh"}, 0),
        ({"between": [keras.layers.Dropout(0.0)]}, 1),  # which does nothing
        ({"between": [keras.layers.ReLU()]}, 0),
        ({"dtype": "mixed_bfloat16"}, 0),
    ],
    ids=str,
)
def test_a_model_computes_what_it_did(settings, ones):
    keras.utils.set_random_seed(0)
    model = network(**settings)
    for v in model.trainable_variables:
        v.assign(v + 0.1 * keras.random.normal(v.shape))
    weights = [v.value for v in model.trainable_variables]
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 9, 9, 1)))
    arguments = weights, tf.cast(x, tf.float32)
    plain = step(model)
    expected = plain(*arguments)
    assert normalizations(plain, *arguments) == 2
    convolution.speed_up(model)
    fast = step(model)
    assert normalizations(fast, *arguments) == 2 - ones
    found = fast(*arguments)
    wide = 0.05 if "dtype" in settings else 1e-4
    both = map(tf.nest.flatten, (found, expected))
    for mine, theirs in zip(*both, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=wide, atol=wide)


def test_a_graph_of_layers_may_use_the_outputs_twice():
    """Their other use takes gradients, too."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((9, 9, 1))
    outputs = keras.layers.Conv2D(9, 3)(inputs)
    normal = OURS()(outputs)
    both = keras.layers.Flatten()(keras.layers.Add()([outputs, normal]))
    model = keras.Model(inputs, keras.layers.Dense(3)(both))
    weights = [v.value for v in model.trainable_variables]
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 9, 9, 1)))
    arguments = weights, tf.cast(x, tf.float32)
    expected = step(model)(*arguments)
    convolution.speed_up(model)
    fast = step(model)
    assert normalizations(fast, *arguments) == 0
    both = map(tf.nest.flatten, (fast(*arguments), expected))
    for mine, theirs in zip(*both, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_kerass_batch_normalization_is_made_ours():
    keras.utils.set_random_seed(0)
    model = network(norm=KERASS)
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 9, 9, 1)))
    x = tf.cast(x, tf.float32)
    functional = FunctionalModel(model)
    step = tf.function(functional.in_training, autograph=False)
    arguments = functional.cut(functional.phi()), x, random.fold_in(0, 0)
    assert normalizations(step, *arguments) == 1
    outputs, _ = step(*arguments)
    np.testing.assert_allclose(outputs, model(x, training=True), 1e-4, 1e-4)
    kinds = [type(layer) for layer in model.layers]
    assert kinds.count(KERASS) == 2  # the model is as it was


def test_where_second_derivatives_are_taken_it_stays_kerass():
    """So MAML refuses it, whose second derivatives of it are wrong."""
    functional = FunctionalModel(network(norm=KERASS), fast=False)
    kinds = [type(layer) for layer in functional._learner.layers]
    assert kinds.count(KERASS) == 2
