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

from reptile_tf import Adam, Episodes, Lesson, MetaLearner, Reptile
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
    """How many tasks at a time Reptile took in turn, in the order of calls."""
    found, lessons = [], Reptile.lessons

    def count(self, loop, phi, state, tasks):
        found.append(len(tasks))
        return lessons(self, loop, phi, state, tasks)

    monkeypatch.setattr(Reptile, "lessons", count)
    return found


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


def test_many_tasks_are_not_taken_in_turn(cores, turns):
    for count, meta_batch, in_turn in ((2, 7, 7), (2, 9, 1), (2, 4, 1)):
        cores(count)
        turns.clear()
        learner = regression(
            inner_steps=2,
            meta_batch_size=meta_batch,
            meta_batch_mode="parallel",
        )
        learner.fit(Constants(*range(1, 10)), 1, verbose=0)
        assert set(turns) == {in_turn}


def test_by_hand(cores, turns):
    """Two steps leave a quarter of the distance to each target."""
    cores(2)
    learner = regression(
        inner_steps=2, meta_batch_size=3, meta_batch_mode="parallel"
    )
    learner.fit(Constants(8, 16, 0), 1, verbose=0)
    assert turns == [3]
    assert weight(learner.model) == (6 + 12 + 0) / 3


def test_a_task_that_diverges_is_left_out(cores, turns):
    cores(2)
    learner = regression(
        inner_steps=2,
        meta_batch_size=3,
        meta_batch_mode="parallel",
        on_divergence="skip",
    )
    history = learner.fit(Constants(8, 1e30, 16), 1, verbose=0).history
    assert turns == [3]
    assert history["skipped_tasks"] == [1]
    assert weight(learner.model) == (6 + 12) / 2


@dataclasses.dataclass(frozen=True)
class Half(Reptile):
    """Reptile's way, of which `__call__` alone goes half."""

    def __call__(self, loop, phi, state, task):
        lesson = super().__call__(loop, phi, state, task)
        return lesson._replace(meta_gradient=lesson.meta_gradient / 2)


@dataclasses.dataclass(frozen=True)
class HalfInTurn(Half):
    """The same, which can take turns."""

    def __call__(self, loop, phi, state, task):
        [lesson] = self.lessons(loop, phi, state, [task])
        return lesson

    def lessons(self, loop, phi, state, tasks):
        return [
            Lesson(lesson.meta_gradient / 2, *lesson[1:])
            for lesson in super().lessons(loop, phi, state, tasks)
        ]


@pytest.mark.parametrize("algorithm, in_turn", [(Half(), 1), (HalfInTurn(), 3)])
def test_another_call_of_a_derived_class_counts(
    cores, turns, algorithm, in_turn
):
    cores(2)
    learner = regression(
        algorithm=algorithm,
        inner_steps=2,
        meta_batch_size=3,
        meta_batch_mode="parallel",
    )
    learner.fit(Constants(8, 16, 0), 1, verbose=0)
    assert set(turns) == {in_turn}
    assert weight(learner.model) == (6 + 12 + 0) / 3 / 2


def test_supports_whose_size_varies_are_not_taken_in_turn(cores, turns):
    """They cannot lie in one tensor."""

    class Varied(Constants):
        def sample(self, index):
            task = super().sample(index)
            x, y = task.support_x, task.support_y
            size = 1 + index % 2
            rows = [[0]] * 2
            return task._replace(
                support_x=tf.gather_nd(x, rows)[:size],
                support_y=tf.gather_nd(y, rows)[:size],
            )

    cores(2)
    learner = regression(
        inner_steps=2, meta_batch_size=3, meta_batch_mode="parallel"
    )
    learner.fit(Varied(8, 16, 0), 1, verbose=0)
    assert set(turns) == {1}
    assert weight(learner.model) == (6 + 12 + 0) / 3
