"""Tasks of the user's own: what Python draws is never frozen silently."""

import numpy as np
import pytest
import tensorflow as tf
from models_table import TABLE, L, sequential

import reptile_tf as rt
from reptile_tf.utils import random

LABELS = tf.constant([0, 1, 0, 1])


def learner():
    return rt.MetaLearner(
        sequential([3], L.Dense(2)),
        inner_optimizer=rt.SGD(0.1),
        inner_steps=1,
        inner_batch_size=4,
        meta_batch_size=2,
    )


class Tasks:
    """What `draw` makes of an index, and a key of its own."""

    def __init__(self, draw, key=lambda index: random.fold_in(0, index)):
        self.draw, self.key = draw, key

    def sample(self, index):
        x = tf.ensure_shape(tf.cast(self.draw(index), tf.float32), [4, 3])
        return rt.Task(x, LABELS, x, LABELS, self.key(index))


def numpys_global(index):
    return np.random.normal(size=[4, 3])


def a_generator_that_calls_share():
    rng = np.random.default_rng(0)
    return lambda index: rng.normal(size=[4, 3])


def a_counter():
    made = []

    def draw(index):
        made.append(index)
        return np.full([4, 3], len(made))

    return draw


def tensorflows_global(index):
    return tf.random.normal([4, 3])


def python_of_the_index(index):
    """0 when it is asked at once, and whatever is asked when it is traced."""
    return np.full([4, 3], 0 if tf.executing_eagerly() else 1)


@pytest.mark.parametrize(
    "tasks, reason",
    [
        (Tasks(numpys_global), "two different tasks"),
        (Tasks(a_generator_that_calls_share()), "two different tasks"),
        (Tasks(a_counter()), "two different tasks"),
        (Tasks(tensorflows_global), "two different tasks"),
        (Tasks(python_of_the_index), "compiled, it returns another task 0"),
        (
            Tasks(lambda _: TABLE[:4], lambda _: tf.constant([1, 2])),
            "tasks 0 and 1 are the same, and so are their keys",
        ),
    ],
)
def test_what_is_no_function_of_its_index_is_refused(tasks, reason):
    one = learner()
    before = one.model.get_weights()
    for use in (
        lambda: one.fit(tasks, 1, verbose=0),
        lambda: one.evaluate(tasks, 2),
        lambda: one.fit(
            Tasks(lambda i: TABLE[:4]), 1, validation_tasks=tasks, verbose=0
        ),
    ):
        with pytest.raises(
            ValueError, match=f"function of its index.*{reason}.*stateless"
        ):
            use()
    np.testing.assert_array_equal(before[0], one.model.get_weights()[0])


def changed_by(augment):
    classes = rt.LabelledExamples(TABLE, [0, 3, 6])
    return rt.Episodes(classes, 2, 1, augment=augment)


@pytest.mark.parametrize(
    "augment",
    [
        lambda x, key: x * np.random.rand(),
        lambda x, key: x + tf.random.normal(tf.shape(x)),
        lambda x, key: x + (0 if tf.executing_eagerly() else 1),
    ],
    ids=["numpy", "tensorflow", "eager"],
)
def test_an_augmentation_that_draws_by_itself_is_refused(augment):
    with pytest.raises(ValueError, match="augment=.*a function of the exampl"):
        learner().evaluate(changed_by(augment), 2)


def test_an_augmentation_that_draws_by_its_key_is_not():
    def noise(x, key):
        return x + tf.random.stateless_normal(tf.shape(x), key)

    learner().evaluate(changed_by(noise), 2)


def test_what_is_one_is_not():
    def drawn(index):
        key = random.fold_in(7, index)
        return tf.random.stateless_normal([4, 3], key)

    one = learner()
    one.fit(Tasks(drawn), 2, verbose=0)
    one.evaluate(Tasks(drawn), 2)
    # One task for ever, whose mini-batches differ.
    one.fit(Tasks(lambda index: TABLE[:4]), 3, verbose=0)


@pytest.mark.parametrize(
    "tasks, words",
    [
        (
            rt.LabelledExamples(TABLE, [0, 3, 6]),
            "distribution of tasks.*Episodes",
        ),
        (numpys_global, "distribution of tasks.*tasks_from_function"),
        (rt.SineWaves, "distribution of tasks.*sample"),
        (TABLE, "(?s)distribution of tasks.*sample"),
    ],
)
def test_what_is_no_distribution_is_refused(tasks, words):
    for use in (
        lambda one: one.fit(tasks, 1, verbose=0),
        lambda one: one.evaluate(tasks, 2),
    ):
        with pytest.raises(ValueError, match=words):
            use(learner())


def test_a_task_must_be_a_task():
    class Pairs:
        def sample(self, index):
            return TABLE, LABELS

    with pytest.raises(ValueError, match="must return a reptile_tf.Task"):
        learner().fit(Pairs(), 1, verbose=0)
