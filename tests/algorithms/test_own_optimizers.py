"""Inner optimizers that users write."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, dense, one_weight, regression, snapshot, weight

from reptile_tf import (
    SGD,
    Checkpoint,
    Episodes,
    InnerOptimizer,
    MetaLearner,
)
from reptile_tf.models import BatchNormalization


@dataclasses.dataclass(frozen=True)
class Momentum:
    learning_rate: float
    decay: float = 0.9

    def init(self, weights):
        return tf.zeros_like(weights)

    def update(self, gradient, velocity, weights):
        velocity = tf.nest.map_structure(
            lambda v, g: self.decay * v + g, velocity, gradient
        )
        weights = tf.nest.map_structure(
            lambda w, v: w - self.learning_rate * v, weights, velocity
        )
        return weights, velocity


@keras.saving.register_keras_serializable("tests")
class RegisteredMomentum(Momentum):
    def get_config(self):
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class RMSProp:
    learning_rate: float
    decay: float = 0.9

    def init(self, weights):
        return {"steps": tf.zeros([], tf.int32), "second": weights * 0}

    def update(self, gradient, state, weights):
        second = tf.nest.map_structure(
            lambda v, g: self.decay * v + (1 - self.decay) * g * g,
            *(state["second"], gradient),
        )
        weights = tf.nest.map_structure(
            lambda w, g, v: w - self.learning_rate * g / tf.sqrt(v + 1e-7),
            *(weights, gradient, second),
        )
        return weights, {"steps": state["steps"] + 1, "second": second}


def test_they_are_inner_optimizers():
    for own in (Momentum(0.1), RMSProp(0.1)):
        assert isinstance(own, InnerOptimizer)


@pytest.mark.parametrize("mode", ["serial", "parallel"])
def test_momentum_by_hand(mode):
    """The velocity runs on from task to task, or is the mean over tasks."""
    learner = regression(
        inner_optimizer=Momentum(0.125, 0.5),
        inner_steps=2,
        meta_batch_size=2,
        meta_batch_mode=mode,
    )
    learner.fit(Constants(1, 2, 3, 4), 2, verbose=0)

    def adapt(w, v, target):
        for _ in range(2):
            v = 0.5 * v + 2 * (w - target)
            w -= 0.125 * v
        return w, v

    phi, velocity = 0.0, 0.0
    for targets in ((1, 2), (3, 4)):
        adapted, velocities = [], []
        for target in targets:
            w, after = adapt(phi, velocity, target)
            if mode == "serial":
                velocity = after
            adapted.append(w)
            velocities.append(after)
        phi = np.mean(adapted)
        if mode == "parallel":
            velocity = np.mean(velocities)
    assert weight(learner.model) == pytest.approx(phi)
    assert learner.inner_state.numpy() == pytest.approx([velocity])


@pytest.mark.parametrize(
    "own, theirs",
    [
        (Momentum(0.05, 0.9), keras.optimizers.SGD(0.05, momentum=0.9)),
        (RMSProp(0.01, 0.9), keras.optimizers.RMSprop(0.01, rho=0.9)),
    ],
)
def test_they_end_where_keras_ends(own, theirs, classes):
    """On one full batch, through a network of several weights."""
    model = dense(keras.layers.Flatten(), keras.layers.Dense(100))
    learner = MetaLearner(
        model,
        inner_optimizer=own,
        inner_batch_size=6,
        loss_reduction="mean",
    )
    task = Episodes(classes, ways=3, shots=2).sample(tf.constant(0, tf.int64))
    adapted = learner.adapt(task.support_x, task.support_y, steps=5)
    keras_model = keras.models.clone_model(model)
    keras_model.set_weights(model.get_weights())
    keras_model.compile(theirs, learner.loss)
    keras_model.fit(
        task.support_x, task.support_y, batch_size=6, epochs=5, verbose=0
    )
    pairs = zip(adapted.get_weights(), keras_model.get_weights(), strict=True)
    for ours, expected in pairs:
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_a_registered_one_is_saved_and_goes_on_alike(classes, tmp_path):
    tasks = Episodes(classes, ways=3, shots=2)
    one = MetaLearner(
        dense(BatchNormalization()),
        inner_optimizer=RegisteredMomentum(0.01, 0.5),
        inner_steps=2,
        inner_batch_size=3,
        meta_batch_size=2,
    )
    one.fit(tasks, 2, verbose=0)
    one.save(tmp_path / "one.zip")
    other = MetaLearner.load(tmp_path / "one.zip")
    assert other.inner_optimizer == RegisteredMomentum(0.01, 0.5)
    for learner in (one, other):
        learner.fit(tasks, 3, verbose=0)
    for a, b in zip(snapshot(one), snapshot(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_one_is_loaded_by_custom_objects(tmp_path):
    one = regression(inner_optimizer=RMSProp(0.25), inner_steps=1)
    one.fit(Constants(*range(1, 6)), 1, verbose=0)
    one.save(tmp_path / "one.zip")
    with pytest.raises(ValueError, match="inner_optimizer.*'RMSProp'.*custom"):
        MetaLearner.load(tmp_path / "one.zip")
    other = MetaLearner.load(tmp_path / "one.zip", {"RMSProp": RMSProp})
    assert other.inner_optimizer == RMSProp(0.25)
    assert other.inner_state["steps"].numpy() == 5
    assert other.inner_state["second"] == one.inner_state["second"]


@pytest.mark.parametrize("own", [Momentum(0.1, 0.5), RMSProp(0.1)], ids=str)
def test_an_export_adapts_with_it(own, tmp_path):
    """Whatever the state is: a tensor, a dictionary."""
    one = regression(inner_optimizer=own, inner_steps=2, meta_batch_size=1)
    one.fit(Constants(1, 2), 2, verbose=0)
    version = one.export(tmp_path / "m")
    adapt = tf.saved_model.load(str(version)).signatures["adapt_and_predict"]
    x, y = tf.ones([1, 1]), tf.constant([[3.0]])
    answer = adapt(
        support_inputs=x,
        support_targets=y,
        query_inputs=x,
        steps=tf.constant(2),
    )
    expected = one.adapt(x, y, steps=2)(x)
    np.testing.assert_array_equal(answer["predictions"], expected)


class NoDataclass:
    init, update = SGD.init, SGD.update
    learning_rate = 0.1


def test_one_that_cannot_be_saved_says_so(tmp_path):
    one = MetaLearner(
        one_weight(), loss="mse", metric="mse", inner_optimizer=NoDataclass()
    )
    with pytest.raises(ValueError, match="inner_optimizer=.* a dataclass"):
        one.save(tmp_path / "one.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("state", [None, {"n": "three"}, [True]])
def test_a_state_that_is_no_number_is_refused(state):
    class Odd(NoDataclass):
        def init(self, weights):
            return state

    with pytest.raises(ValueError, match="inner_optimizer=.* state of numbers"):
        regression(inner_optimizer=Odd())


def test_a_state_of_plain_numbers_is_one_of_tensors():
    class Counting(NoDataclass):
        def init(self, weights):
            return {"n": 0}

        def update(self, gradient, state, weights):
            weights, _ = SGD(0.25).update(gradient, (), weights)
            return weights, {"n": state["n"] + 1}

    one = regression(
        inner_optimizer=Counting(),
        inner_steps=2,
        meta_batch_size=3,
        meta_batch_mode="parallel",
    )
    one.fit(Constants(1, 2, 3), 1, verbose=0)
    assert one.inner_state["n"] == 2
    assert weight(one.model) == 1.5  # three quarters of the mean


def test_what_no_file_can_hold_is_named_before_a_training(tmp_path):
    one = regression(inner_optimizer=Momentum(tf.constant(0.1)))
    for use in (
        lambda: one.save(tmp_path / "one.zip"),
        lambda: Checkpoint(one, tmp_path),
    ):
        with pytest.raises(ValueError, match="inner_optimizer=.* JSON"):
            use()


def test_numbers_of_numpy_are_numbers(tmp_path):
    one = regression(
        inner_optimizer=Momentum(np.float32(0.5)), inner_steps=np.int64(3)
    )
    one.save(tmp_path / "one.zip")
    own = {"Momentum": Momentum}
    again = MetaLearner.load(tmp_path / "one.zip", own)
    assert again.inner_optimizer == Momentum(0.5)
    assert again.settings == one.settings
    assert type(again.settings.inner_steps) is int
