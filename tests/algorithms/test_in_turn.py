"""Tasks of which a step each is taken in turn: to the bit what each would be.

It is done where a meta-batch would leave cores idle, so each test says how many
cores there are.
"""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, dense, regression, snapshot, weight

from reptile_tf import Adam, Algorithm, Episodes, Lesson, MetaLearner, Reptile
from reptile_tf.algorithms import adapt_to_support
from reptile_tf.models import BatchNormalization
from reptile_tf.utils import machine

MANY = 100  # as many cores keep all tasks side by side, each by itself


@pytest.fixture
def cores(monkeypatch):
    """Sets how many operations run at a time, as far as the package asks."""

    def set_to(count):
        monkeypatch.setattr(machine, "operations_at_a_time", lambda: count)

    return set_to


@pytest.fixture
def turns(monkeypatch):
    """How many tasks at a time Reptile was given, in the order of calls."""
    found, lessons = [], Reptile.lessons

    def count(self, loop, phi, state, tasks):
        found.append(len(tasks))
        return lessons(self, loop, phi, state, tasks)

    monkeypatch.setattr(Reptile, "lessons", count)
    return found


def parallel(meta_batch_size=3, **settings):
    """A learner of `Constants`, of which two steps go three quarters."""
    return regression(
        inner_steps=2,
        meta_batch_size=meta_batch_size,
        meta_batch_mode="parallel",
        **settings,
    )


def trained(tasks, optimizer):
    """What two outer iterations of five tasks leave behind, and its logs."""
    keras.utils.set_random_seed(0)
    model = dense(
        keras.layers.Conv2D(4, 3),
        BatchNormalization(),
        keras.layers.Dropout(0.3),
    )
    learner = MetaLearner(
        model,
        inner_optimizer=optimizer,
        inner_steps=3,
        inner_batch_size=4,
        meta_batch_size=5,
        meta_batch_mode="parallel",
    )
    logs = learner.fit(tasks, 2, iterations_per_epoch=1, verbose=0).history
    del logs["tasks_per_second"]
    return [*snapshot(learner), *logs.values()]


@pytest.mark.parametrize("optimizer", [Adam(0.01), Adam(0.01, beta_1=0.9)])
def test_it_is_the_same_to_the_bit(classes, cores, turns, optimizer):
    """Weights, moments, statistics and reports; with noise of every step."""
    tasks = Episodes(classes, ways=3, shots=3, query_shots=2)
    found = []
    for count, in_turn in ((MANY, 1), (2, 5), (3, 5), (4, 5), (5, 1)):
        cores(count)
        turns.clear()
        found.append(trained(tasks, optimizer))
        assert set(turns) == {in_turn}
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "count, meta_batch, in_turn",
    [
        (2, 4, 1),  # no core is idle
        (2, 7, 7),
        (2, 9, 9),  # one of ten would be
        (4, 7, 7),
        (3, 2, 1),  # no task waits
        (6, 11, 1),  # too many, as is said in `_MOST_IN_TURN`
        (5, 9, 9),
        (3, 8, 8),
        (1, 3, 1),
    ],
)
def test_when_it_is_done(cores, turns, count, meta_batch, in_turn):
    cores(count)
    parallel(meta_batch).fit(Constants(*range(1, 12)), 1, verbose=0)
    assert set(turns) == {in_turn}


def test_by_hand(cores, turns):
    """Two steps leave a quarter of the distance to each target."""
    cores(2)
    learner = parallel()
    learner.fit(Constants(8, 16, 0), 1, verbose=0)
    assert turns == [3]
    assert weight(learner.model) == (6 + 12 + 0) / 3


@pytest.mark.parametrize("count", [2, MANY])
def test_sums_are_in_the_order_of_the_tasks(cores, count):
    """Of floats of 32 bits, for which 2^24 + 1 is 2^24."""
    cores(count)
    learner = parallel(9)
    large = 2.0**24
    targets = large, -large, 1, large, 1, 1, 1, -large, 3
    learner.fit(Constants(*(4 / 3 * t for t in targets)), 1, verbose=0)
    assert weight(learner.model) == np.float32(3) / 9


@pytest.mark.parametrize("count", [2, MANY])
def test_a_task_that_diverges_is_as_if_it_were_not_there(cores, turns, count):
    """To the bit, also of so many that another order of sums would show."""
    cores(count)
    targets = [0.1 * 1.7**i for i in range(8)]
    with_it = parallel(9, on_divergence="skip", inner_optimizer=Adam(0.1))
    history = with_it.fit(
        Constants(*targets[:4], 1e30, *targets[4:]), 1, verbose=0
    ).history
    assert history["skipped_tasks"] == [1]
    assert set(turns) == {9 if count == 2 else 1}
    without = parallel(8, inner_optimizer=Adam(0.1))
    without.fit(Constants(*targets), 1, verbose=0)
    for a, b in zip(snapshot(with_it), snapshot(without), strict=True):
        np.testing.assert_array_equal(a, b)


@dataclasses.dataclass(frozen=True)
class HalfByCall(Reptile):
    """Reptile's way, of which `__call__` goes half."""

    def __call__(self, loop, phi, state, task):
        lesson = super().__call__(loop, phi, state, task)
        return lesson._replace(meta_gradient=lesson.meta_gradient / 2)


@dataclasses.dataclass(frozen=True)
class HalfWithAField(Algorithm):
    """The same by its own `__call__`, with a field of the method's name."""

    lessons: int = 2

    def __call__(self, loop, phi, state, task):
        weights, state, loss = adapt_to_support(loop, phi, state, task)
        return Lesson((phi - weights) / self.lessons, weights, state, loss)


@dataclasses.dataclass(frozen=True)
class HalfInTurn(Reptile):
    """Reptile's way, of which `lessons` go half."""

    def lessons(self, loop, phi, state, tasks):
        return [
            lesson._replace(meta_gradient=lesson.meta_gradient / 2)
            for lesson in super().lessons(loop, phi, state, tasks)
        ]


@pytest.mark.parametrize(
    "algorithm, in_turn",
    [(HalfByCall(), {1}), (HalfWithAField(), set()), (HalfInTurn(), {3})],
)
def test_what_a_derived_class_does_counts(cores, turns, algorithm, in_turn):
    cores(2)
    learner = parallel(algorithm=algorithm)
    learner.fit(Constants(8, 16, 0), 1, verbose=0)
    assert set(turns) == in_turn
    assert weight(learner.model) == (6 + 12 + 0) / 3 / 2


class Varied(Constants):
    """Tasks whose one example stands there once, twice or three times."""

    def sample(self, index):
        task = super().sample(index)
        x, y = task.support_x, task.support_y
        rows = [[0]] * 3
        size = 3 - index % 3
        return task._replace(
            support_x=tf.gather_nd(x, rows)[:size],
            support_y=tf.gather_nd(y, rows)[:size],
        )


class OddKeys(Constants):
    """Tasks whose key has a shape that TensorFlow does not know."""

    def sample(self, index):
        task = super().sample(index)
        key = tf.numpy_function(lambda key: key, [task.key], tf.int32)
        return task._replace(key=key)


@pytest.mark.parametrize(
    "kind, eager, in_turn",
    [
        (Varied, False, 1),
        (Varied, True, 1),
        (OddKeys, False, 3),
        (Constants, True, 1),
    ],
)
def test_tasks_of_all_kinds(cores, turns, kind, eager, in_turn, request):
    """Supports of several sizes cannot lie in one tensor."""
    if eager:
        request.getfixturevalue("eagerly")
    cores(2)
    learner = parallel()
    learner.fit(kind(8, 16, 0), 1, verbose=0)
    assert set(turns) == {in_turn}
    assert weight(learner.model) == (6 + 12 + 0) / 3


@pytest.mark.parametrize("what", ["strategy", "XLA"])
def test_replicas_and_xla_are_left_their_ways(cores, turns, what):
    cores(2)
    learner = parallel(jit_compile=what == "XLA")
    strategy = None
    if what == "strategy":
        strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    learner.fit(Constants(8, 16, 0), 1, verbose=0, strategy=strategy)
    assert set(turns) == {1}
    assert weight(learner.model) == pytest.approx((6 + 12 + 0) / 3)
