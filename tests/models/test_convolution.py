"""Our gradient of a convolution's kernel is TensorFlow's."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from graphs import operations
from tensorflow.python.framework import ops
from tensorflow.python.framework.func_graph import FuncGraph

import reptile_tf as rt
from reptile_tf.models import faster_layers


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])


def layer(filters=3, kernel=3, strides=1, padding="same", **more):
    return keras.layers.Conv2D(filters, kernel, strides, padding, **more)


def derivatives(conv, x, kernel, weights):
    """Returns outputs, first derivatives, and those of a function of them."""
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch([x, kernel])
            y = conv(x, kernel)
            loss = tf.reduce_sum(tf.sin(y) * weights)
        first = inner.gradient(loss, [x, kernel])
        size = sum(tf.reduce_sum(tf.sin(3 * g)) for g in first)
    return [y, *first, *outer.gradient(size, [x, kernel])]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2, (2, 3)])
@pytest.mark.parametrize("kernel", [1, 3, (2, 4)])
@pytest.mark.parametrize(("size", "graph"), [((7, 7), True), ((8, 5), False)])
def test_all_derivatives_are_tensorflows(size, graph, kernel, strides, padding):
    one = layer(3, kernel, strides, padding, dtype="float64")
    one.build((None, *size, 2))
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, *size, 2)), tf.float64)
    weights = tf.constant(rng.normal(size=one(x).shape), tf.float64)
    expected = derivatives(one.convolution_op, x, one.kernel.value, weights)
    faster_layers.speed_up(keras.Sequential([one]))
    assert "convolution_op" in vars(one)
    ours = tf.function(derivatives, autograph=False) if graph else derivatives
    found = ours(one.convolution_op, x, one.kernel.value, weights)
    np.testing.assert_array_equal(found[0], expected[0])
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def gradient_operations(one, shape):
    model = keras.Sequential([keras.Input(shape), one])
    faster_layers.speed_up(model)

    @tf.function(autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            kernel = one.kernel.value
            tape.watch(kernel)
            loss = tf.reduce_sum(one.convolution_op(x, kernel))
        return tape.gradient(loss, kernel)

    x = tf.TensorSpec([None, *shape], one.compute_dtype)
    return operations(gradient.get_concrete_function(x))


def test_small_images_take_the_product():
    found = gradient_operations(layer(), (14, 14, 8))
    assert "Conv2DBackpropFilter" not in found
    assert "MatMul" in found


@pytest.mark.parametrize(
    ("one", "shape"),
    [
        (layer(), (84, 84, 32)),  # too large
        (layer(groups=2, filters=4), (8, 8, 2)),
        (layer(dilation_rate=2), (8, 8, 2)),
        (layer(), (None, None, 2)),
        (layer(dtype="bfloat16"), (8, 8, 2)),
    ],
    ids=["large", "groups", "dilated", "any size", "bfloat16"],
)
def test_others_are_left_to_tensorflow(one, shape):
    assert "Conv2DBackpropFilter" in gradient_operations(one, shape)


def test_a_layer_with_an_operation_of_its_own_keeps_it():
    class Doubled(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return 2 * super().convolution_op(inputs, kernel)

    one = Doubled(2, 3)
    faster_layers.speed_up(keras.Sequential([keras.Input((8, 8, 1)), one]))
    assert "convolution_op" not in vars(one)


def test_where_there_is_a_gpu_nothing_changes(monkeypatch):
    monkeypatch.setattr(
        tf.config, "get_visible_devices", lambda kind=None: [kind]
    )
    one = layer()
    faster_layers.speed_up(keras.Sequential([keras.Input((8, 8, 1)), one]))
    assert "convolution_op" not in vars(one)


def test_nothing_more_is_kept_of_what_was_traced(classes, monkeypatch):
    """A gradient that TensorFlow knows by name would hold its graph."""

    def kept():
        gc.collect()
        graphs = [o for o in gc.get_objects() if isinstance(o, FuncGraph)]
        return np.array([len(graphs), len(ops.gradient_registry.list())])

    def learn():
        flat = keras.layers.Flatten(), keras.layers.Dense(3)
        model = keras.Sequential([keras.Input((8, 8, 1)), layer(), *flat])
        learner = rt.MetaLearner(model, inner_batch_size=3)
        learner.fit(rt.Episodes(classes, 3, 1), 1, verbose=0)

    def more():
        learn()
        before = kept()
        learn()
        return kept() - before

    ours = more()
    monkeypatch.setattr(faster_layers, "speed_up", lambda *_: None)
    np.testing.assert_array_equal(ours, more())


def test_maml_is_the_same_with_it_and_without(classes, monkeypatch):
    """The second derivatives inside of a loop that is differentiated."""
    phi = []
    for fast in (True, False):
        monkeypatch.setattr(rt.MAML, "second_order", not fast)
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1), dtype="float64"),
                layer(strides=2, dtype="float64"),
                keras.layers.Flatten(dtype="float64"),
                keras.layers.Dense(3, dtype="float64"),
            ]
        )
        learner = rt.MetaLearner(
            model,
            inner_optimizer=rt.SGD(0.1),
            algorithm="maml",
            inner_steps=3,
            inner_batch_size=3,
        )
        layers = learner.functional._learner.layers
        assert ("convolution_op" in vars(layers[0])) == fast
        learner.fit(rt.Episodes(classes, 3, 1), 2, verbose=0)
        phi.append(learner.functional.phi())
    np.testing.assert_allclose(*phi, rtol=1e-9, atol=1e-9)
