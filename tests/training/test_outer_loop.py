"""Algorithms 1 and 2: what an outer iteration does to phi."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, dense, one_weight, regression, weight

from reptile_tf import SGD, Episodes, MetaLearner, linear_decay

pytestmark = pytest.mark.usefixtures("eagerly")


def test_two_outer_iterations_by_hand():
    # A step halves the distance to the target c, so W~ = c + (phi - c) / 4
    # after k = 2. The tasks' targets are 4 and 8, then 12 and 16.
    #   eps_0 = 0.5: W~ = 3 and 6; phi = 0 + 0.5 (4.5 - 0) = 2.25
    #   eps_1 = 0.5 (1 - 1/2) = 0.25: W~ = 12 - 9.75 / 4 = 9.5625 and
    #   16 - 13.75 / 4 = 12.5625; phi = 2.25 + 0.25 (11.0625 - 2.25)
    learner = regression(
        inner_steps=2,
        meta_batch_size=2,
        meta_optimizer=linear_decay(0.5, 2),
    )
    tasks = Constants(4, 8, 12, 16)
    learner.fit(tasks, 1, verbose=0)
    assert weight(learner.model) == 2.25
    learner.fit(tasks, 2, verbose=0)
    assert weight(learner.model) == 4.453125


def test_what_layers_add_to_the_loss_counts():
    # With w^2 beside (w - 4)^2, a step of SGD(0.25) takes w to 2 and the next
    # one leaves it there.
    model = one_weight()
    model.layers[-1].kernel_regularizer = keras.regularizers.L2(1.0)
    learner = regression(model, inner_steps=2, meta_batch_size=1)
    learner.fit(Constants(4), 1, verbose=0)
    assert weight(learner.model) == 2


def test_the_loss_and_the_query_metric_are_logged_by_hand():
    # From 0 to the target 4 by halves: losses 16 and 4 before the two steps;
    # W~ = 3 leaves a squared error of 1. Target 8: 64 and 16; 4.
    learner = regression(inner_steps=2, meta_batch_size=2)
    logs = learner.fit(Constants(4, 8), 1, verbose=0).history
    assert logs["loss"] == [(10 + 40) / 2]
    assert logs["query_mse"] == [(1 + 4) / 2]
    assert logs["tasks_per_second"][0] > 0


def test_a_meta_batch_of_one_is_algorithm_1():
    targets = 3.0, -5.0, 8.0, 1.0
    learner = regression(
        inner_steps=2,
        meta_batch_size=1,
        meta_optimizer=linear_decay(0.5, 8),
    )
    learner.fit(Constants(*targets), 4, verbose=0)
    phi = 0.0
    for i, c in enumerate(targets):
        w = phi
        for _ in range(2):
            w -= 0.25 * 2 * (w - c)
        phi += 0.5 * (1 - i / 8) * (w - phi)
    np.testing.assert_allclose(weight(learner.model), phi, rtol=1e-6)


def test_the_step_decays_linearly_to_zero():
    # One step of SGD(0.5) goes all the way to the target, which is 1: the
    # distance to it shrinks by 1 - eps_i in iteration i.
    learner = regression(
        inner_optimizer=SGD(0.5),
        inner_steps=1,
        meta_batch_size=1,
        meta_optimizer=linear_decay(0.8, 4),
    )
    tasks = Constants(*[1.0] * 6)
    distance = 1.0
    for i in range(6):
        learner.fit(tasks, i + 1, verbose=0)
        distance *= 1 - 0.8 * max(1 - i / 4, 0)
        np.testing.assert_allclose(
            1 - weight(learner.model), distance, rtol=1e-5
        )


def test_eps_0_leaves_phi_to_the_bit():
    phi = float(np.float32(1 / 3))
    learner = regression(
        one_weight(phi),
        inner_steps=3,
        meta_batch_size=2,
        meta_optimizer=keras.optimizers.SGD(0.0),
    )
    learner.fit(Constants(*range(4)), 2, verbose=0)
    assert weight(learner.model) == phi


def test_eps_1_and_one_task_give_its_weights():
    learner = regression(inner_steps=3, meta_batch_size=1)  # eps = 1
    learner.fit(Constants(8), 1, verbose=0)
    assert weight(learner.model) == 7.0  # by halves: 4, 6, 7


def test_any_keras_optimizer_may_be_the_meta_optimizer():
    # It is given phi - mean(W~) as gradient.
    optimizer = keras.optimizers.Adam(0.1)
    learner = regression(
        inner_steps=2, meta_batch_size=2, meta_optimizer=optimizer
    )
    learner.fit(Constants(4, 8, -12, 16), 2, verbose=0)
    phi = keras.Variable([0.0])
    same = keras.optimizers.Adam(0.1)
    same.build([phi])
    for targets in ((4, 8), (-12, 16)):
        w = [c + (phi - c) / 4 for c in targets]
        same.apply([phi - (w[0] + w[1]) / 2])
    assert weight(learner.model) != 0
    np.testing.assert_allclose(weight(learner.model), phi.value, rtol=1e-6)


def test_one_full_batch_sgd_step_is_joint_training(classes):
    """k = 1: phi moves by alpha times the gradient of the mean task loss."""
    model = dense()
    before = model.get_weights()
    tasks = Episodes(classes, ways=3, shots=2)
    sampled = [tasks.sample(tf.constant(i, tf.int64)) for i in range(4)]
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="sum"
    )
    with tf.GradientTape() as tape:
        losses = [
            cross_entropy(t.support_y, model(t.support_x)) for t in sampled
        ]
        loss = tf.reduce_mean(losses)
    gradient = tape.gradient(loss, model.trainable_variables)
    learner = MetaLearner(
        model,
        inner_optimizer=SGD(0.01),
        inner_steps=1,
        inner_batch_size=6,
        meta_batch_size=4,
    )
    learner.fit(tasks, 1, verbose=0)
    for old, new, g in zip(before, model.get_weights(), gradient, strict=True):
        np.testing.assert_allclose(new - old, -0.01 * g, atol=1e-6)
        assert np.abs(g).max() > 0.1
