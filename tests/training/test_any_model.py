"""Any Keras model: what Keras's own training and answers are with it.

At 0 steps an adapted model answers as the user's model does; after k steps of
SGD on the whole support set it is where Keras's training on it ends. The models
are the rows of `models_table`.
"""

import functools
from typing import NamedTuple

import keras
import models_table
import numpy as np
import pytest
import tensorflow as tf
from models_table import ROWS

import reptile_tf as rt
from reptile_tf.algorithms import mini_batches
from reptile_tf.serving.served_model import ServedModel
from reptile_tf.utils import random

K, ALPHA = 3, 0.05

# Row by row, so that the reference of one is not made in several processes.
every_row = pytest.mark.parametrize("name", ROWS, scope="module")


class OneTask:
    """Each task is the row's, whose queries are its examples."""

    def __init__(self, row):
        self.x, self.y = tensors(row)

    def sample(self, index):
        key = random.fold_in(0, index)
        return rt.Task(self.x, self.y, self.x, self.y, key)


class Reference(NamedTuple):
    """What Keras makes of a row's model.

    Attributes:
        before: its trainable weights.
        weights: these after K steps.
        answers: its outputs then.
        metric: of the answers.
    """

    before: list
    weights: list
    answers: list
    metric: float


@functools.cache
def reference(name):
    row = ROWS[name]
    model = row.make()
    before = weights(model)
    loss = row.loss or "sparse_categorical_crossentropy"
    metrics = row.metric if tf.nest.is_nested(row.metric) else [row.metric]
    # As Keras compiles it takes a second; the numbers are the same.
    sgd = keras.optimizers.SGD(ALPHA)
    model.compile(sgd, loss, metrics=metrics, run_eagerly=True)
    x = tf.nest.map_structure(tf.constant, row.x)
    for _ in range(K):
        model.train_on_batch(x, row.y)
    with_statistics_of(model, row.x)
    measured = model.test_on_batch(x, row.y, return_dict=True)
    [metric] = [v for key, v in measured.items() if "loss" not in key]
    return Reference(before, weights(model), answers(model, row.x), metric)


def with_statistics_of(model, x):
    """Gives batch normalization the statistics of one batch, as Keras does."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    if model._call_has_training_arg:
        model(tf.nest.map_structure(tf.constant, x), training=True)
    return model


def tensors(row):
    """The examples and targets as a task has them."""

    def target(y):
        whole = y.dtype.kind in "iu"
        return tf.constant(y, tf.int32 if whole else tf.float32)

    x, y = (
        tf.nest.map_structure(convert, part)
        for convert, part in ((tf.constant, row.x), (target, row.y))
    )
    return x, y


def learner(row, **settings):
    return rt.MetaLearner(
        row.make(),
        loss=row.loss,
        metric=row.metric,
        inner_optimizer=rt.SGD(ALPHA),
        inner_steps=K,
        inner_batch_size=6,
        loss_reduction=row.loss_reduction,
        **settings,
    )


@functools.lru_cache(1)
def untrained(name):
    """A learner for all tests of a row that leave it as it is."""
    return learner(ROWS[name])


def answers(model, x):
    x = tf.nest.map_structure(tf.constant, x)
    mode = {"training": False} if model._call_has_training_arg else {}
    return [np.asarray(t) for t in tf.nest.flatten(model(x, **mode))]


def weights(model):
    return [np.array(v) for v in model.trainable_variables]


def same(found, right, tolerance):
    for one, other in zip(found, right, strict=True):
        # An older NumPy does not compare bfloat16 with numbers of its own.
        np.testing.assert_allclose(
            np.asarray(one).astype("float64"),
            np.asarray(other).astype("float64"),
            rtol=tolerance,
            atol=tolerance / 10,
        )


@every_row
def test_adapting_starts_at_the_users_model_and_ends_where_keras_ends(name):
    row, right, one = ROWS[name], reference(name), untrained(name)
    adapted = one.adapt(row.x, row.y, steps=0)
    model = with_statistics_of(row.make(), row.x)
    same(answers(adapted, row.x), answers(model, row.x), 1e-5)
    same(weights(adapted), right.before, 0)

    assert any(
        np.abs(a - b).max() > 1e-4
        for a, b in zip(right.weights, right.before, strict=True)
    )
    adapted = one.adapt(row.x, row.y)
    same(weights(adapted), right.weights, row.tolerance)
    same(answers(adapted, row.x), right.answers, 10 * row.tolerance)


@pytest.mark.parametrize("mode", ["serial", "parallel"])
@every_row
def test_training_ends_where_keras_ends(name, mode, request):
    row, right = ROWS[name], reference(name)
    request.getfixturevalue("eagerly")
    one = learner(row, meta_batch_size=2, meta_batch_mode=mode)
    one.fit(OneTask(row), 1, verbose=0)
    same(weights(one.model), right.weights, row.tolerance)


@every_row
def test_an_evaluation_measures_what_keras_does(name, request):
    row, right = ROWS[name], reference(name)
    request.getfixturevalue("eagerly")
    one = untrained(name)
    [score] = one.evaluate(OneTask(row), 2, modes=["support"])
    assert score.value == pytest.approx(right.metric, rel=10 * row.tolerance)


# Whose graphs are of the kinds of other rows'.
_ALIKE = "backbone", "bidirectional", "gru", "attention", "group_normalization"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] * (name in _ALIKE))
        for name in ROWS
    ],
    scope="module",
)
def test_an_export_answers_as_keras_does(name, tmp_path):
    row, right, one = ROWS[name], reference(name), untrained(name)
    if not row.exported:
        with pytest.raises(ValueError, match="does not say what inputs"):
            one.export(tmp_path)
        return
    served = ServedModel(one)
    model = tf.saved_model.load(str(one.export(tmp_path)))
    x, y = (tf.nest.flatten(part) for part in tensors(row))
    given = {"steps": tf.constant(K)}
    for part in ("support", "query"):
        for each, values in zip(served.inputs, x, strict=True):
            given[f"{part}_{each.name}"] = tf.cast(values, each.dtype)
    names = [f"support_{each.target}" for each in served.outputs]
    for name, each, target in zip(names, served.outputs, y, strict=True):
        spec = each.spec()
        given[name] = tf.cast(target, spec.dtype)
        if target.shape.rank < spec.shape.rank:
            given[name] = given[name][:, tf.newaxis]
    found = model.signatures["adapt_and_predict"](**given)
    for each, output in zip(served.outputs, right.answers, strict=True):
        key = f"predictions{each.suffix}"
        if each.classifier:
            key = f"probabilities{each.suffix}"
            output = tf.nn.softmax(output) if each.logits else output
        same([found[key]], [output], 10 * row.tolerance)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Dropout(0.5),
        lambda: keras.layers.GaussianNoise(0.5, seed=3),
        lambda: keras.layers.AlphaDropout(0.3),
    ],
)
def test_noise_follows_from_the_key_and_the_step(layer):
    """Keras's training, with the seeds that the steps have."""
    x, y = models_table.TABLE, models_table.NUMBERS

    def made():
        keras.utils.set_random_seed(0)
        return models_table.sequential(
            [3], keras.layers.Dense(8), layer(), keras.layers.Dense(2)
        )

    one = rt.MetaLearner(
        made(),
        loss="mse",
        metric="mse",
        inner_optimizer=rt.SGD(ALPHA),
        inner_batch_size=6,
        loss_reduction="mean",
    )
    adapted = one.adapt(x, y, steps=K)
    model = made()
    model.compile(keras.optimizers.SGD(ALPHA), "mse", run_eagerly=True)
    key = random.fold_in(0, 0)
    for step, rows in enumerate(mini_batches(key, 6, K, 6).numpy()):
        seed = random.fold_in(random.fold_in(key, step), 0) & 0x7FFFFFFF
        state = model.layers[1].seed_generator.state
        state.assign(tf.cast(seed, state.dtype))
        model.train_on_batch(x[rows], y[rows])
    same(weights(adapted), weights(model), 1e-5)
    np.testing.assert_allclose(adapted(x), model(x), rtol=1e-4)
    again = one.adapt(x, y, steps=K)
    np.testing.assert_array_equal(weights(again)[0], weights(adapted)[0])
    other = one.adapt(x, y, steps=K, seed=1)
    assert np.any(weights(other)[0] != weights(adapted)[0])
