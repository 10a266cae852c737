"""Tasks of a Python function: what it may return, and when it is asked."""

import concurrent.futures
import functools
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, regression, snapshot

from reptile_tf import (
    SGD,
    Adam,
    Episodes,
    LabelledExamples,
    MetaLearner,
    Task,
    models,
)
from reptile_tf.data import python_tasks
from reptile_tf.data.python_tasks import tasks_from_function
from reptile_tf.utils import machine, random

TARGETS = [float(t) for t in np.random.default_rng(0).integers(-9, 9, 50)]


def constant(index):
    """The task of `Constants` of that number."""
    x, y = [[1.0]], [[TARGETS[index]]]
    return x, y, x, y


def line(index):
    """Returns ten points of y = a x + b and twenty to be asked about."""
    rng = np.random.default_rng(index)
    a, b = rng.uniform(-1, 1, 2)
    x = rng.uniform(-5, 5, [30, 1])
    y = a * x + b
    return x[:10], y[:10], x[10:], y[10:]


def returning(**parts):
    """A function that returns the parts, and zeros for the others."""
    whole = {name: np.zeros([3, 1]) for name in Task._fields[:4]} | parts
    return lambda index: tuple(whole.values())


def number(index) -> tf.Tensor:
    return tf.constant(index, tf.int64)


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_task_is_what_the_function_returns():
    task = tasks_from_function(line, seed=3).sample(number(7))
    for part, values in zip(task, line(7), strict=False):
        assert part.dtype == tf.float32
        np.testing.assert_array_equal(part, values.astype(np.float32))
    np.testing.assert_array_equal(task.key, random.fold_in(3, 7))
    (support_x, support_y, *query) = line(7)
    paired = tasks_from_function(
        lambda i: (line(i)[:2], line(i)[2:]), seed=3
    ).sample(number(7))
    assert_same(task, paired)


def test_in_graphs_and_loops_it_is_the_same_task():
    tasks = tasks_from_function(line)
    shapes = []

    @tf.function(autograph=False)
    def stacked(indices):
        task = tasks.sample(indices[0])
        shapes.extend(part.shape for part in task)
        return tf.map_fn(
            tasks.sample,
            indices,
            fn_output_signature=Task(
                *(tf.TensorSpec(part.shape, part.dtype) for part in task)
            ),
            parallel_iterations=4,
        )

    together = stacked(tf.range(20, dtype=tf.int64))
    assert shapes == [(10, 1), (10, 1), (20, 1), (20, 1), (2,)]
    for i in (13, 2, 13):
        assert_same(tasks.sample(number(i)), [p[i] for p in together])


def test_tasks_of_other_seeds_have_other_keys():
    keys = {
        tuple(tasks_from_function(line, seed).sample(number(i)).key.numpy())
        for seed in (0, 1)
        for i in (0, 1)
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    "values, dtype, seen",
    [
        (np.zeros([3, 4], np.float64), tf.float32, 0.0),
        (np.ones([3, 4], np.float16), tf.float32, 1.0),
        (np.ones([3, 4], bool), tf.float32, 1.0),
        (np.full([3, 4], 7, np.int64), tf.int32, 7),
        (np.full([3, 4], 7, np.uint8), tf.int32, 7),  # no images
        (np.full([3, 2, 2, 1], 51, np.uint8), tf.float32, 0.2),
        ([[1, 2], [1, 2], [1, 2]], tf.int32, 1),
    ],
)
def test_models_see_inputs_as_they_see_those_of_labelled_examples(
    values, dtype, seen
):
    function = returning(support_x=values, query_x=values)
    tasks = tasks_from_function(function)
    assert tasks.input_shape == np.shape(values)[1:]
    for x in tasks.sample(number(0))[0:4:2]:
        assert x.dtype == dtype
        assert x.numpy().flat[0] == pytest.approx(seen)
    classes = LabelledExamples(np.concatenate([values, values]), [0, 3, 6])
    episode = Episodes(classes, ways=2, shots=2).sample(number(0))
    assert episode.query_x.dtype == dtype
    np.testing.assert_array_equal(episode.query_x[0], x[0])


@pytest.mark.parametrize(
    "values, dtype, shape",
    [
        (np.zeros([3, 2]), tf.float32, (3, 2)),
        ([0.5, 1.0, 2.0], tf.float32, (3, 1)),  # as models return them
        (np.ones(3, bool), tf.float32, (3, 1)),
        ([0, 1, 1], tf.int32, (3,)),
        (np.zeros([3, 4, 4], np.uint8), tf.int32, (3, 4, 4)),  # a label a pixel
    ],
)
def test_targets_are_labels_or_floats(values, dtype, shape):
    function = returning(support_y=values, query_y=values)
    for y in tasks_from_function(function).sample(number(0))[1:4:2]:
        assert y.dtype == dtype
        assert y.shape == shape


@pytest.mark.parametrize("mode", ["serial", "parallel"])
def test_learners_train_on_it_as_on_the_same_tasks_in_tensorflow(mode):
    weights = []
    for tasks in (tasks_from_function(constant), Constants(*TARGETS)):
        learner = regression(meta_batch_size=4, meta_batch_mode=mode)
        history = learner.fit(tasks, 5, verbose=0).history
        [score] = learner.evaluate(tasks, num_tasks=20)
        weights.append((learner.model.get_weights(), score, history["loss"]))
    assert weights[0] == weights[1]


def test_each_training_task_is_made_once():
    asked = []

    def recorded(index):
        asked.append(index)
        return constant(index)

    tasks = tasks_from_function(recorded)
    learner = regression(meta_batch_size=4, meta_batch_mode="parallel")
    learner.fit(tasks, 1, verbose=0)
    asked.clear()
    learner.fit(tasks, 3, verbose=0)
    # Task 0 once more each time that a learner looks at the shapes.
    assert sorted(i for i in asked if i) == list(range(4, 12))
    assert all(type(index) is int for index in asked)


def test_a_resumed_training_is_the_one_that_was_never_stopped(tmp_path):
    def learner():
        keras.utils.set_random_seed(0)
        return MetaLearner(
            models.sine_mlp(),
            inner_optimizer=Adam(1e-2, 0.5),
            inner_steps=2,
            inner_batch_size=4,
            meta_batch_size=2,
            loss="mean_squared_error",
            metric="mean_squared_error",
        )

    whole, first = learner(), learner()
    whole.fit(tasks_from_function(line), 4, verbose=0)
    first.fit(tasks_from_function(line), 2, verbose=0)
    first.save(tmp_path / "learner.zip")
    second = MetaLearner.load(tmp_path / "learner.zip")
    second.fit(tasks_from_function(line), 4, verbose=0)
    assert_same(snapshot(second), snapshot(whole))


def test_a_function_may_use_one_array_again_and_again():
    x = np.zeros([2, 1], np.float32)

    def filled(index):
        x[:] = index
        time.sleep(1e-4)  # lets other threads go on
        return x, x, x, x

    tasks = tasks_from_function(filled)

    @tf.function(autograph=False)
    def first_inputs(indices):
        return tf.map_fn(
            lambda i: tasks.sample(i).support_x,
            indices,
            fn_output_signature=tf.TensorSpec([2, 1]),
            parallel_iterations=8,
        )

    seen = first_inputs(tf.range(200, dtype=tf.int64)).numpy()
    assert (seen == np.arange(200)[:, np.newaxis, np.newaxis]).all()


def test_a_call_that_never_ends_for_want_of_a_thread_is_told(monkeypatch):
    """TensorFlow would wait forever."""
    monkeypatch.setattr(python_tasks, "_PATIENCE", 0.5)
    double = tf.function(lambda x: 2 * x, autograph=False)

    def doubled(index):
        if index == 0:
            return constant(0)
        return (double(tf.ones([1, 1])).numpy(),) * 4

    threads = 2 * machine.cores()
    learner = regression(meta_batch_size=threads, meta_batch_mode="parallel")
    with pytest.raises(tf.errors.OpError, match="must not call a tf.function"):
        learner.fit(tasks_from_function(doubled), 2, verbose=0)


def test_slow_calls_are_waited_for(monkeypatch):
    monkeypatch.setattr(python_tasks, "_PATIENCE", 1.0)

    def slow(index):
        time.sleep(0.4)
        return constant(index)

    tasks = tasks_from_function(slow)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        # The last one waits for 1.2 seconds, but never for one call.
        found = list(threads.map(tasks.sample, map(number, range(4))))
    assert [float(task.support_y[0, 0]) for task in found] == TARGETS[:4]


def generator():
    yield constant(0)


class Generating:
    def __call__(self, index):
        yield constant(index)


@pytest.mark.parametrize(
    "function",
    [
        generator,
        generator(),
        functools.partial(generator),
        Generating(),
        iter([constant(0)]),
        lambda index: generator(),
    ],
    ids=["function", "generator", "partial", "object", "iterator", "returned"],
)
def test_what_cannot_be_asked_again_is_refused(function):
    with pytest.raises(
        ValueError, match="received a generator or an iter"
    ) as e:
        tasks_from_function(function)
    for part in (
        "cannot be asked for task number i again",
        "resumed exactly",
        "def task(index):\n        rng = np.random.default_rng([seed, index])",
    ):
        assert part in str(e.value)


@pytest.mark.parametrize("thing", [[constant(0)], None, 3, {}])
def test_what_is_no_function_is_refused(thing):
    name = type(thing).__name__
    with pytest.raises(ValueError, match=f"received a {name}. Write one such"):
        tasks_from_function(thing)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed must be at least 0"):
        tasks_from_function(constant, seed=-1)


@pytest.mark.parametrize("change", ["x", "y", "dtype", "shape"])
def test_a_task_that_is_another_when_asked_again_is_refused(change):
    rng = np.random.default_rng(0)
    calls = []

    def shared(index):
        calls.append(index)
        x, y = np.ones([3, 1]), np.ones([3, 1])
        if change == "dtype":
            x = x.astype(int) if len(calls) > 1 else x
        elif change == "shape":
            x, y = np.ones([2 + len(calls), 1]), np.ones([2 + len(calls), 1])
        else:
            (x if change == "x" else y)[:] = rng.normal()
        return x, y, x, y

    part = "support_y" if change == "y" else "support_x"
    with pytest.raises(
        ValueError,
        match=rf"another {part}\. Draw .* np\.random\.default_rng\(index\)",
    ):
        tasks_from_function(shared)


def test_what_is_not_a_number_is_the_same_again():
    nan = np.full([3, 1], np.nan)
    tasks_from_function(returning(support_x=nan))


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda i: None, r"must return \(support_x, .* 0 it returned a NoneT"),
        (lambda i: np.zeros(4), "it returned a ndarray"),
        (lambda i: constant(0)[:3], "it returned a tuple of 3"),
        (lambda i: (1, 2), "it returned a tuple of 2"),
        (lambda i: dict(enumerate(constant(0))), "it returned a dict"),
        (
            returning(support_x=np.zeros([2, 1])),
            "support_x and support_y must have the same length; for task 0 "
            "they have 2 and 3",
        ),
        (
            returning(query_y=np.zeros([2, 1])),
            "query_x and query_y must have the same length; .* 3 and 2",
        ),
        (
            returning(support_x=np.zeros([0, 1]), support_y=np.zeros([0, 1])),
            r"support_x must have at least 1 example.*float32 \[0, 1\]",
        ),
        (
            returning(query_x=np.zeros([3, 2])),
            r"support_x and query_x .* \[3, 1\] and float32 \[3, 2\]",
        ),
        (
            returning(query_y=np.zeros([3, 1], int)),
            "support_y and query_y .* float32 .* and int32",
        ),
        (
            returning(query_x=[], query_y=[]),
            r"float32 \[0\]; for a task without queries return support_x\[:0\]",
        ),
        (returning(support_x=3.0), r"support_x must be an array of numbers"),
        (
            returning(query_x=["a", "b", "c"]),
            r"query_x must be an array of numbers.* it is <U1 \[3\]",
        ),
        (
            returning(support_y=[[1.0], [1.0, 2.0], [3.0]]),
            "support_y must be .* it is a list of rows of unequal lengths",
        ),
        (
            returning(support_x=np.full([3, 1], 2**31)),
            "support_x must be whole numbers of 32 bits.* 2147483648 to 2147",
        ),
    ],
)
def test_what_is_no_task_is_refused(function, message):
    with pytest.raises(ValueError, match=message):
        tasks_from_function(function)


def test_tasks_may_have_no_queries():
    empty = np.zeros([0, 1])
    tasks = tasks_from_function(returning(query_x=empty, query_y=empty))
    assert tasks.sample(number(3)).query_x.shape == (0, 1)
    learner = regression(inner_optimizer=SGD(0.1))
    learner.fit(tasks, 1, verbose=0)
    with pytest.raises(ValueError, match="no query examples"):
        learner.evaluate(tasks, num_tasks=2)


def test_an_error_in_the_function_is_shown_as_it_is():
    def table(index):
        return {0: constant(0)}[index]

    tasks = tasks_from_function(table)
    with pytest.raises(KeyError) as raised:
        tasks.sample(number(31))
    assert "This was task 31 of <function" in raised.value.__notes__[0]
    for use in (
        lambda one: one.fit(tasks, 1, verbose=0),
        lambda one: one.evaluate(tasks, 2),
    ):
        with pytest.raises(KeyError) as raised:
            use(regression(meta_batch_size=2))
        assert raised.value.args == (1,)
        assert "This was task 1 of <function" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    "other, kind",
    [
        (np.ones([2, 1]), "float32 [2, 1]"),
        (np.ones([1, 1], int), "int32 [1, 1]"),
    ],
)
def test_a_task_of_another_shape_is_named_as_it_is_met(other, kind):
    def changing(index):
        return (other,) * 4 if index == 5 else (np.ones([1, 1]),) * 4

    tasks = tasks_from_function(changing)
    learner = regression(meta_batch_size=2)
    learner.fit(tasks, 2, verbose=0)
    for attempt in (
        lambda: learner.fit(tasks, 3, verbose=0),
        lambda: learner.evaluate(tasks, num_tasks=6),
        lambda: tasks.sample(number(5)),
    ):
        with pytest.raises((tf.errors.OpError, ValueError)) as raised:
            attempt()
        assert (
            "function must return support_x of one shape and dtype for all "
            f"tasks; task 0 has float32 [1, 1], and task 5 has {kind}"
        ) in str(raised.value)
    assert learner.iteration == 2
