"""The evaluation modes, and what is said of an accuracy."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from terminal import Terminal
from toys import Constants, dense, regression, weight

from reptile_tf import SGD, Episodes, MetaLearner, Score, Task
from reptile_tf.models import BatchNormalization
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.training import evaluation_modes, evaluator
from reptile_tf.training import score as scores_lib

EPSILON = 1e-3
# The class is 1 where the input lies above the mean by more than 0.9 standard
# deviations of the statistics in use.
THRESHOLD = 0.9
SUPPORT = np.array([[0.0], [10.0]], np.float32)
QUERY = np.array([[14.0], [12.0], [2.0]], np.float32)


def threshold_model(layer=keras.layers.BatchNormalization):
    inputs = keras.Input((1,))
    x = layer(epsilon=EPSILON)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.layers[-1].set_weights(
        [np.array([[0.0, 1.0]]), np.array([THRESHOLD, 0.0])]
    )
    return model


def by_hand(query, batch):
    """Logits of queries, normalized by the statistics of a batch."""
    x = (query - batch.mean()) / np.sqrt(batch.var() + EPSILON)
    return np.concatenate([np.full_like(x, THRESHOLD), x], 1)


BY_HAND = {
    "transductive": by_hand(QUERY, QUERY),
    "support_and_query": np.concatenate(
        [by_hand(q[None], np.append(SUPPORT, q)) for q in QUERY]
    ),
    "support": by_hand(QUERY, SUPPORT),
}


@pytest.fixture(scope="module")
def threshold():
    return FunctionalModel(threshold_model())


@pytest.mark.parametrize("mode", evaluation_modes.MODES)
def test_each_mode_uses_its_own_statistics(threshold, mode):
    outputs = evaluation_modes.MODES[mode](
        threshold, threshold.phi(), tf.constant(SUPPORT), tf.constant(QUERY)
    )
    np.testing.assert_allclose(outputs, BY_HAND[mode], rtol=1e-4)


def test_the_modes_give_the_accuracies_of_a_task_where_they_differ():
    class OneTask:
        def sample(self, index):
            return Task(
                tf.constant(SUPPORT),
                tf.constant([0, 1]),
                tf.constant(QUERY),
                tf.constant([1, 1, 1]),
                tf.stack([0, tf.cast(index, tf.int32)]),
            )

    # A step so small that the adapted weights are phi.
    learner = MetaLearner(
        threshold_model(),
        inner_optimizer=SGD(1e-30),
        inner_steps=1,
        inner_batch_size=2,
    )
    scores = learner.evaluate(OneTask(), 3)
    found = {s.mode: s.value for s in scores}
    expected = {
        mode: (logits.argmax(1) == 1).mean() for mode, logits in BY_HAND.items()
    }
    assert sorted(expected.values()) == [0, 1 / 3, 2 / 3]
    assert found == pytest.approx(expected)
    assert all(s.ci95 == 0 and s.num_tasks == 3 for s in scores)


def test_with_the_support_mode_queries_do_not_see_each_other(threshold):
    weights, support = threshold.phi(), tf.constant(SUPPORT)
    together = evaluation_modes.support(threshold, weights, support, QUERY)
    turned = evaluation_modes.support(threshold, weights, support, QUERY[::-1])
    np.testing.assert_array_equal(together, turned[::-1])
    for i in range(len(QUERY)):
        alone = evaluation_modes.support(
            threshold, weights, support, QUERY[i : i + 1]
        )
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-6)


def test_the_adapted_clone_is_the_learner_of_the_support_mode(classes):
    """`predict` of a clone in inference mode, also one query at a time."""
    model = dense(
        keras.layers.Conv2D(3, 3, strides=2),
        BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Conv2D(3, 2),
        keras.layers.BatchNormalization(),
    )
    learner = MetaLearner(model, inner_steps=3, inner_batch_size=4)
    before = model.get_weights()
    task = Episodes(classes, ways=3, shots=2).sample(tf.constant(0, tf.int64))
    adapted = learner.adapt(task.support_x, task.support_y)
    functional = FunctionalModel(model)
    weights = functional.flatten(adapted.trainable_variables)
    assert np.abs(weights - functional.phi()).max() > 1e-4
    expected = evaluation_modes.support(
        functional, weights, task.support_x, task.query_x
    )
    outputs = adapted.predict(task.query_x.numpy(), verbose=0)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    for i in range(3):
        one = adapted(task.query_x[i : i + 1], training=False)
        np.testing.assert_allclose(one[0], expected[i], rtol=1e-4, atol=1e-5)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # Training mode on the support set is what the inner steps saw.
    np.testing.assert_allclose(
        adapted(task.support_x, training=False),
        functional.in_training(
            functional.cut(weights), task.support_x, task.key
        )[0],
        rtol=1e-3,
        atol=1e-4,
    )


def test_adapt_takes_what_the_model_takes(classes):
    """Bytes may be pictures or numbers: it asks which."""
    learner = MetaLearner(dense(), inner_steps=2, inner_batch_size=2)
    images, labels = classes.examples[:18:2], [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.raises(ValueError, match=r"uint8 \[9, 8, 8, 1\].*/ 255"):
        learner.adapt(images, labels)
    images = images / 255
    first = learner.adapt(images, labels)
    again = learner.adapt(images, labels, seed=1)
    assert np.any(again.get_weights()[0] != first.get_weights()[0])
    none = learner.adapt(images, labels, steps=0)
    np.testing.assert_array_equal(
        none.get_weights()[0], learner.model.get_weights()[0]
    )


@pytest.mark.parametrize(
    "settings, shape, deviation",
    [
        ({}, (3, 4, 4, 2), 2.0),
        ({"epsilon": 0.1}, (3, 4, 4, 2), 0.5),
        # An epsilon below the fused operation's least, where it matters.
        ({"epsilon": 1e-6}, (3, 4, 4, 2), 2e-3),
        ({}, (1, 1, 1, 2), 2.0),  # a variance over one value
        ({"axis": 1}, (3, 4, 4, 2), 2.0),
        ({"scale": False}, (3, 4, 4, 2), 2.0),
        ({}, (5, 2), 2.0),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_is_kerass(settings, shape, deviation, training):
    """Outputs, gradients and moving statistics."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(0.5, 1, shape) * deviation, tf.float32)
    pull = tf.constant(rng.normal(size=shape), tf.float32)
    found = []
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.5, **settings)
        layer.build(shape)
        for i, variable in enumerate(layer.trainable_variables):
            variable.assign(variable + 0.1 * (i + 1))
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=training)
            loss = tf.reduce_sum(outputs * pull)
        sources = [x, *(v.value for v in layer.trainable_variables)]
        gradients = tape.gradient(loss, sources)
        found.append([outputs, *gradients, *(v.value for v in layer.weights)])
    for ours, theirs in zip(*found, strict=True):
        scale = np.abs(theirs).max() + 1e-9
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * scale)


def test_the_fused_operation_is_used():
    """Else there would be nothing to compare."""
    layer = BatchNormalization()
    layer.build((3, 4, 4, 2))

    @tf.function
    def run(x):
        return layer(x, training=True)

    x = tf.TensorSpec([3, 4, 4, 2])
    kinds = {
        op.type for op in run.get_concrete_function(x).graph.get_operations()
    }
    assert any(kind.startswith("FusedBatchNorm") for kind in kinds)


def test_the_interval_by_hand():
    # Mean 3/4; squared deviations 9/16 and three of 1/16, in all 3/4, over
    # n - 1 = 3: a variance of 1/4. 1.96 sqrt(1/4 / 4) = 0.49.
    score = Score.of("support", "accuracy", [0, 1, 1, 1])
    assert (score.value, score.num_tasks) == (0.75, 4)
    assert score.ci95 == pytest.approx(0.49)
    assert score.as_dict() == {
        "mode": "support",
        "accuracy": 0.75,
        "ci95": pytest.approx(0.49),
        "num_tasks": 4,
    }


def test_a_score_prints_mode_interval_and_tasks():
    score = Score.of("support_and_query", "accuracy", [0, 1, 1, 1])
    line = str(score)
    for part in ("support_and_query", "75.00%", "49.00%", "95%", "4 tasks"):
        assert part in line
    error = Score("support", "mean_squared_error", 0.1234567, 0.0456, 100)
    for part in ("0.1235", "0.046", "100 tasks"):
        assert part in str(error)
    lines = scores_lib.table([score, error]).splitlines()
    assert len(lines) == 2
    assert all("95% interval" in line for line in lines)


def test_more_tasks_than_one_call_holds_are_all_counted(monkeypatch):
    """Each counts the same, also in a last call that holds fewer."""
    monkeypatch.setattr(evaluator, "_CHUNK", 3)
    [score] = regression(inner_steps=1).evaluate(Constants(*range(5)), 5)
    # One step halves the distance, so the squared error of c is c^2 / 4.
    errors = np.arange(5) ** 2 / 4
    assert score.num_tasks == 5
    assert score.value == pytest.approx(errors.mean())
    assert score.ci95 == pytest.approx(1.96 * errors.std(ddof=1) / 5**0.5)


def test_whole_numbers_may_be_targets(eagerly):
    adapted = regression(inner_steps=2).adapt([[1.0]], [[4]])
    assert weight(adapted) == 3


def test_the_progress_bar_ends_with_the_mean(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(evaluator, "_CHUNK", 2)
    learner = regression()
    tasks = Constants(0, 1, 2, 3, 10)
    [score] = learner.evaluate(tasks, 5, steps=0, verbose=1)
    assert score.value == pytest.approx((1 + 4 + 9 + 100) / 5)
    assert "\r5/5 tasks, support mse 22.8 " in sys.stdout.getvalue()
