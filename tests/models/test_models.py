"""Any Keras model: functional, sequential, subclassed, with dropout."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, dense, one_weight, regression

from reptile_tf import (
    FOMAML,
    SGD,
    Adam,
    Episodes,
    MetaLearner,
    linear_decay,
    models,
)
from reptile_tf.algorithms.inner_loop import InnerLoop, adapt
from reptile_tf.algorithms.losses import example_losses
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.training.settings import EVALUATION_MODES


def sequential():
    return dense(keras.layers.Conv2D(2, 3, activation="relu"))


def functional():
    """With a branch, which no sequential model has."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(inputs)
    wide = keras.layers.Dense(3)(x)
    deep = keras.layers.Dense(3)(keras.layers.Dense(4, "relu")(x))
    return keras.Model(inputs, keras.layers.add([wide, deep]))


@keras.saving.register_keras_serializable("test_models")
class Subclassed(keras.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.flatten = keras.layers.Flatten()
        self.normalize = models.BatchNormalization()
        self.classify = keras.layers.Dense(units)

    def call(self, x, training=None):
        x = self.normalize(self.flatten(x), training=training)
        return self.classify(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def subclassed():
    model = Subclassed(3)
    model(np.zeros([1, 8, 8, 1]))
    return model


def learns_and_adapts(model, tasks):
    before = model.get_weights()
    learner = MetaLearner(
        model, inner_steps=2, inner_batch_size=3, meta_batch_size=2
    )
    learner.fit(tasks, 1, verbose=0)
    after = model.get_weights()
    assert np.any(before[0] != after[0])
    task = tasks.sample(tf.constant(0, tf.int64))
    adapted = learner.adapt(task.support_x, task.support_y)
    assert type(adapted) is type(model)
    assert adapted(task.query_x).shape == (3, 3)
    assert np.any(adapted.get_weights()[0] != after[0])
    return learner


@pytest.mark.parametrize("make", [sequential, functional])
def test_models_of_layers_learn_and_adapt(make, classes, eagerly):
    keras.utils.set_random_seed(0)
    learns_and_adapts(make(), Episodes(classes, ways=3, shots=2))


def test_subclassed_models_learn_adapt_and_are_evaluated(classes):
    tasks = Episodes(classes, ways=3, shots=2)
    learner = learns_and_adapts(subclassed(), tasks)
    scores = learner.evaluate(tasks, 2)
    assert [score.mode for score in scores] == list(EVALUATION_MODES)


def test_a_compiled_model_is_still_the_users(eagerly):
    """`fit` lends the model to callbacks; it does not take it over."""
    model = one_weight()
    model.compile("adam", "mean_squared_error")
    optimizer = model.optimizer
    regression(model, inner_steps=1).fit(Constants(*range(5)), 1, verbose=0)
    assert model.optimizer is optimizer
    model.train_on_batch(np.ones([4, 1]), np.ones([4, 1]))


def test_a_model_may_be_compiled_afterwards(eagerly):
    model = one_weight()
    regression(model, inner_steps=1).fit(Constants(*range(5)), 1, verbose=0)
    model.compile("adam", "mean_squared_error")
    model.train_on_batch(np.ones([4, 1]), np.ones([4, 1]))


def test_frozen_weights_stay():
    frozen = keras.layers.Dense(4, trainable=False)
    model = keras.Sequential([keras.Input((2,)), frozen, keras.layers.Dense(1)])
    functional = FunctionalModel(model)
    assert functional.size == 5
    weights = functional.phi() + 1
    clone = functional.with_weights(
        weights, functional.statistics(weights, tf.ones([1, 2]))
    )
    np.testing.assert_array_equal(clone.get_weights()[0], frozen.kernel)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_and_is_evaluated(classes, policy):
    model = dense(
        keras.layers.Conv2D(2, 3, dtype=policy),
        models.BatchNormalization(dtype=policy),
    )
    learner = MetaLearner(model, inner_steps=2, inner_batch_size=3)
    tasks = Episodes(classes, ways=3, shots=2)
    before = learner.functional.phi()
    learner.fit(tasks, 1, verbose=0)
    phi, inner = learner.functional.phi(), learner.inner_state
    assert np.any(phi != before)
    assert phi.dtype == inner.second.dtype == tf.float32
    assert all(np.isfinite(s.value) for s in learner.evaluate(tasks, 2))


def test_names_and_numpy_seeds_will_do(classes):
    learner = MetaLearner(
        dense(),
        algorithm="fomaml",
        metric="accuracy",
        inner_optimizer=SGD(0.1),
        inner_batch_size=3,
    )
    assert learner.algorithm == FOMAML()
    # Not Keras's "accuracy", which compares logits with labels.
    [score] = learner.evaluate(Episodes(classes, 3, 2), 30)
    assert 0.1 < score.value < 1
    seeds = 7, np.int64(7)
    tasks = [Episodes(classes, 3, 2, seed=s).sample(0) for s in seeds]
    np.testing.assert_array_equal(tasks[0].key, tasks[1].key)


def test_tasks_that_cannot_be_hashed():
    tasks = Constants(*range(5))
    tasks.__class__ = type("Plain", (Constants,), {"__hash__": None})
    learner = regression(inner_steps=1)
    learner.fit(tasks, 1, verbose=0)
    assert learner.evaluate(tasks, 2)


@pytest.mark.parametrize("setting", ["renorm", "synchronized"])
def test_batch_normalization_leaves_the_rest_to_keras(setting):
    x = np.random.default_rng(0).normal(3, 2, [4, 5, 5, 2]).astype("float32")
    ours, kerass = (
        layer(**{setting: True})
        for layer in (
            models.BatchNormalization,
            keras.layers.BatchNormalization,
        )
    )
    np.testing.assert_array_equal(
        ours(x, training=True), kerass(x, training=True)
    )


# A linear model of 200 inputs, all 1, behind dropout: a gradient step changes
# exactly the weights whose inputs were kept.
@pytest.fixture(scope="module")
def dropout():
    return FunctionalModel(
        keras.Sequential(
            [
                keras.Input((200,)),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(1, kernel_initializer="zeros"),
            ]
        )
    )


def kept(dropout, key, steps):
    """Which weights `steps` steps changed, and by how much, all in all."""
    loop = InnerLoop(dropout, example_losses("mse"), "sum", SGD(1e-3), 1, 1)
    weights, _, _ = adapt(
        loop,
        tf.zeros([dropout.size]),
        (),
        tf.ones([1, 200]),
        tf.ones([1, 1]),
        tf.zeros([steps, 1], tf.int32),
        tf.constant(key),
    )
    return weights[:200].numpy()


def test_dropout_differs_between_steps_and_tasks(dropout):
    one, two = kept(dropout, [1, 2], 1), kept(dropout, [1, 2], 2)
    first, second = one != 0, two != one
    assert 60 < first.sum() < 140
    assert 60 < second.sum() < 140
    assert 60 < (first != second).sum() < 140  # as unrelated masks would
    other = kept(dropout, [1, 3], 1) != 0
    assert 60 < (first != other).sum() < 140


def test_dropout_is_the_same_for_the_same_task(dropout):
    np.testing.assert_array_equal(
        kept(dropout, [1, 2], 2), kept(dropout, [1, 2], 2)
    )


def test_dropout_is_off_in_every_evaluation_mode(dropout):
    weights, x = tf.ones([dropout.size]), tf.ones([1, 200])
    # 200 weights and the bias, on inputs of 1.
    assert dropout.by_batch(weights, x) == 201
    statistics = dropout.statistics(weights, x)
    assert dropout.by_statistics(weights, statistics, x) == 201


def test_layers_of_dropout_drop_different_units():
    inputs = keras.Input((200,))
    outputs = [keras.layers.Dropout(0.5)(inputs) for _ in range(2)]
    outputs = keras.layers.concatenate(outputs)
    # One trainable weight, so that it is a learner at all.
    outputs = keras.layers.Dense(1, use_bias=False)(outputs[..., None])
    model = FunctionalModel(keras.Model(inputs, outputs))
    key = tf.constant([1, 2])
    x, _ = model.in_training(model.cut(tf.ones([1])), tf.ones([1, 200]), key)
    first, second = np.split(x.numpy().ravel() != 0, 2)
    assert 60 < (first != second).sum() < 140


def test_learning_to_learn_pays(classes):
    """Four steps from a trained phi beat four steps from an untrained one."""
    train, test = classes.split(8, seed=0)
    learner = MetaLearner(
        dense(models.BatchNormalization()),
        inner_optimizer=Adam(5e-3),
        inner_steps=4,
        inner_batch_size=6,
        meta_batch_size=2,
        meta_optimizer=linear_decay(0.5, 60),
    )
    tests = Episodes(test, ways=3, shots=2, query_shots=3)
    [before] = learner.evaluate(tests, 50, modes=["support"])
    learner.fit(Episodes(train, ways=3, shots=4), 60, verbose=0)
    [after] = learner.evaluate(tests, 50, modes=["support"])
    assert after.value > before.value + 0.1
    assert after.value > 0.75  # on classes never seen; chance is 1/3


def test_the_papers_networks_have_the_papers_sizes():
    def size(model):
        return sum(np.prod(v.shape) for v in model.trainable_variables)

    # 4 x (convolution with bias, gamma and beta), then the dense layer.
    omniglot = models.omniglot_cnn(5)
    convolutions = 9 * 64 + 3 * (9 * 64 * 64) + 4 * 3 * 64
    assert size(omniglot) == convolutions + 257 * 5
    assert omniglot.layers[-2].output.shape == (None, 256)
    mini = models.mini_imagenet_cnn(5)
    convolutions = 9 * 3 * 32 + 3 * (9 * 32 * 32) + 4 * 3 * 32
    assert size(mini) == convolutions + 1153 * 5
    assert mini.layers[-2].output.shape == (None, 1152)
    sine = models.sine_mlp()
    assert size(sine) == 128 + 64 * 65 + 65
    for model in (omniglot, mini):
        norms = [
            layer
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        assert [layer.epsilon for layer in norms] == [1e-3] * 4


def test_large_weights_are_parts_and_small_ones_one_part_together():
    inputs = keras.Input((80,))
    x = keras.layers.Dense(60)(inputs)
    outputs = keras.layers.Dense(2)(keras.layers.Dense(80)(x))
    model = FunctionalModel(keras.Model(inputs, outputs))
    vector = tf.range(model.size, dtype=tf.float32)
    parts = model.cut(vector)
    small = 60 + 80 + 80 * 2 + 2
    assert [tuple(p.shape) for p in parts] == [(80, 60), (60, 80), (small,)]
    np.testing.assert_array_equal(model.join(parts), vector)


def test_embeddings_and_weights_without_a_part_in_the_loss_are_trained(eagerly):
    """Both large enough to be parts: one's gradient is slices, one's none."""
    inputs = keras.Input((1,))
    x = keras.layers.Embedding(5000, 1)(inputs)
    idle = keras.layers.Dense(5000, use_bias=False)(inputs)
    idle = keras.ops.sum(keras.ops.stop_gradient(idle), 1, keepdims=True)
    outputs = keras.layers.Flatten()(x) + 0 * idle
    model = FunctionalModel(keras.Model(inputs, outputs))
    phi = model.phi()
    loop = InnerLoop(
        model, example_losses("mean_squared_error"), "sum", SGD(0.25), 1, 1
    )
    weights, _, _ = adapt(
        loop,
        phi,
        (),
        tf.constant([[7.0]]),
        tf.constant([[3.0]]),
        tf.constant([[0]]),
        tf.constant([0, 0]),
    )
    expected = phi.numpy()
    row = 7 + 5000 * (model.cut(phi)[0].shape == [1, 5000])
    expected[row] += (3 - expected[row]) / 2
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
