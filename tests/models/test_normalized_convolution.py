"""A convolution and its batch normalization as one function are the two."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import reptile_tf as rt
from reptile_tf.models import faster_layers, normalized_convolution
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
            normal, mean, variance = function(made, gamma, beta, 0.1)
            loss = tf.reduce_sum(tf.sin(normal) * weights)
        first = inner.gradient(loss, given)
        size = sum(tf.reduce_sum(tf.sin(3 * g)) for g in first)
    return [normal, mean, variance, *first, *outer.gradient(size, given)]


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 3)])
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


def smooth(rng):
    """Three pictures of waves, of which Laplace's filter sees little."""
    down, across = np.mgrid[:24, :24] / 24
    a, b, c = rng.uniform(size=(3, 3, 1, 1))
    waves = np.sin(2 * np.pi * (a * down + b * across + c))
    return 128 + 100 * waves[..., np.newaxis]


def every_other(rng):
    """Pictures of which strides see another mean than all pixels have."""
    x = np.zeros((3, 24, 24, 1))
    x[:, ::2, ::2] = rng.normal(1000, 1, (3, 12, 12, 1))
    return x


LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[..., None, None]


@pytest.mark.parametrize(
    ("pictures", "kernel", "stride"),
    [
        (lambda rng: rng.normal(size=(3, 24, 24, 1)), None, 1),
        (lambda rng: rng.normal(1000, 1, (3, 24, 24, 1)), None, 1),
        (smooth, None, 1),
        (smooth, LAPLACE, 1),
        (every_other, np.ones((1, 1, 1, 1)), 2),
    ],
    ids=["small", "far from 0", "smooth", "smooth, Laplace", "every other"],
)
def test_rounding_errors_are_those_of_the_operation(pictures, kernel, stride):
    """Squares of large numbers would hide how little they differ."""
    rng = np.random.default_rng(0)
    x = pictures(rng)
    k = rng.normal(size=(3, 3, 1, 16)) if kernel is None else kernel
    n, how = k.shape[-1], {"strides": (stride, stride), "padding": "VALID"}
    weights = rng.normal(size=tf.nn.conv2d(x, k, **how).shape)

    def computed(function, dtype):
        made = Convolution(
            *(tf.constant(a, dtype) for a in (x, k, np.zeros(n))), how
        )
        with tf.GradientTape() as tape:
            tape.watch(made.kernel)
            normal, *_ = function(
                made, tf.ones([n], dtype), tf.ones([n], dtype), 1e-3
            )
            loss = tf.reduce_sum(normal * tf.constant(weights, dtype))
        return normal, tape.gradient(loss, made.kernel)

    def operation(made, gamma, beta, epsilon):
        y = tf.nn.conv2d(made.inputs, made.kernel, **made.how)
        return tf.compat.v1.nn.fused_batch_norm(y, gamma, beta, epsilon=epsilon)

    exact = computed(one_after_another, "float64")
    ours, theirs = (computed(f, "float32") for f in (as_one, operation))
    for mine, other, right in zip(ours, theirs, exact, strict=True):
        assert error(mine, right) < max(2 * error(other, right), 1e-6)


OURS = rt.models.BatchNormalization
KERASS = keras.layers.BatchNormalization


class Halved(keras.layers.Conv2D):
    @property
    def kernel(self):
        return self._kernel / 2


class Sensitive(keras.layers.Layer):
    """Asks how its normalization depends on its convolution's outputs."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = keras.layers.Conv2D(9, 3), OURS()

    def call(self, x, training=None):
        y = self.conv(x)
        with tf.GradientTape() as tape:
            tape.watch(y)
            normal = self.norm(y, training=training)
            size = tf.reduce_sum(tf.tanh(normal))
        return normal + tape.gradient(size, y)


def network(*, before=(), first=None, between=(), norm=OURS, **settings):
    settings = {"filters": 9, "kernel_size": 3, **settings}
    conv = keras.layers.Conv2D(**settings)
    layers = [
        *([first] if first else [conv, *between, norm()]),
        keras.layers.ReLU(),
        keras.layers.Conv2D(9, 3),
        norm(),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]
    return keras.Sequential([keras.Input((11, 11, 1)), *before, *layers])


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
        ({"kernel_size": 7, "filters": 32}, 1),
        ({"kernel_size": 8, "filters": 64}, 0),  # 64 pixels
        ({"filters": 4}, 0),  # whose patches have 9 pixels
        ({"before": [keras.layers.Dense(1)]}, 0),  # which takes a gradient
        ({"activation": "tanh"}, 0),
        ({"between": [keras.layers.Dropout(0.0)]}, 0),
        ({"between": [keras.layers.ReLU()]}, 0),
        ({"first": Sensitive()}, 0),
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
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 11, 11, 1)))
    arguments = weights, tf.cast(x, tf.float32)
    plain = step(model)
    expected = plain(*arguments)
    assert normalizations(plain, *arguments) == 2
    faster_layers.speed_up(model)
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
    inputs = keras.Input((11, 11, 1))
    outputs = keras.layers.Conv2D(9, 3)(inputs)
    normal = OURS()(outputs)
    both = keras.layers.Flatten()(keras.layers.Add()([outputs, normal]))
    model = keras.Model(inputs, keras.layers.Dense(3)(both))
    weights = [v.value for v in model.trainable_variables]
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 11, 11, 1)))
    arguments = weights, tf.cast(x, tf.float32)
    expected = step(model)(*arguments)
    faster_layers.speed_up(model)
    fast = step(model)
    assert normalizations(fast, *arguments) == 0
    both = map(tf.nest.flatten, (fast(*arguments), expected))
    for mine, theirs in zip(*both, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_kerass_batch_normalization_is_made_ours():
    keras.utils.set_random_seed(0)
    model = network(norm=KERASS)
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 11, 11, 1)))
    x = tf.cast(x, tf.float32)
    functional = FunctionalModel(model)
    compiled = tf.function(functional.in_training, autograph=False)
    arguments = functional.cut(functional.phi()), x, random.fold_in(0, 0)
    assert normalizations(compiled, *arguments) == 2
    outputs, _ = compiled(*arguments)
    np.testing.assert_allclose(outputs, model(x, training=True), 1e-4, 1e-4)
    kinds = [type(layer) for layer in model.layers]
    assert kinds.count(KERASS) == 2  # the model is as it was


class Own(KERASS):
    pass


def test_what_is_derived_from_it_stays():
    functional = FunctionalModel(network(norm=Own))
    kinds = [type(layer) for layer in functional._learner.layers]
    assert kinds.count(Own) == 2


def small(conv=None):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            conv or keras.layers.Conv2D(9, 3, strides=2),
            OURS(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


def test_a_kernel_that_is_made_anew_is_asked_for_once():
    model = small(Halved(9, 3))
    faster_layers.speed_up(model)
    assert "call" not in vars(model.layers[0])


@pytest.mark.parametrize("algorithm", ["reptile", "fomaml", "maml"])
def test_learners_learn_the_same_with_it_and_without(
    classes, monkeypatch, algorithm
):
    phi = []
    for fast in (True, False):
        if not fast:
            monkeypatch.setattr(
                normalized_convolution, "remember", lambda layer: None
            )
        keras.utils.set_random_seed(0)
        model = small()
        learner = rt.MetaLearner(
            model,
            inner_optimizer=rt.SGD(0.01),
            algorithm=algorithm,
            inner_steps=3,
            inner_batch_size=3,
        )
        layers = learner.functional._learner.layers
        assert ("call" in vars(layers[0])) == fast
        learner.fit(rt.Episodes(classes, 3, 1), 2, verbose=0)
        phi.append(learner.functional.phi())
    np.testing.assert_allclose(*phi, rtol=1e-5, atol=1e-5)


class HeadOnly(rt.Reptile):
    head_only = True


def test_a_pixel_that_is_no_number_is_noticed(classes):
    """A fused ReLU would make 0 of what was normalized by it."""
    images = np.array(classes.examples, "float32")
    broken = rt.LabelledExamples(images, classes.offsets)
    images[0, 3, 3] = np.nan  # which it would refuse, and does not copy
    model = small()
    learner = rt.MetaLearner(model, algorithm=HeadOnly(), inner_batch_size=3)
    with pytest.raises(FloatingPointError, match="not finite"):
        learner.fit(rt.Episodes(broken, 3, 1), 40, verbose=0)
