"""Tasks of varying ways and shots."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import reptile_tf as rt

SIZES = np.array([4, 9, 30, 12, 7, 25, 150, 18])
CLASS_OF = np.repeat(np.arange(len(SIZES)), SIZES)


def examples():
    """Rows of two numbers: the class, and which example it is."""
    rows = np.stack([CLASS_OF, np.arange(SIZES.sum())], 1).astype(np.float32)
    return rt.LabelledExamples.from_labels(rows, CLASS_OF)


def episodes(**settings):
    return rt.VariedEpisodes(
        examples(), **{"ways": 2, "max_ways": 5} | settings
    )


@pytest.fixture(scope="module")
def many():
    tasks = episodes(max_support=60)
    compiled = tf.function(tasks.sample)
    found = [compiled(tf.constant(i, tf.int64)) for i in range(400)]
    assert compiled.experimental_get_tracing_count() == 1
    return found


def test_each_task_is_whole(many):
    for task in many:
        support, query = task.support_x.numpy(), task.query_x.numpy()
        ways = len(np.unique(task.query_y))
        assert 2 <= ways <= 5
        # No example twice, and none in both sets.
        numbers = np.concatenate([support[:, 1], query[:, 1]])
        assert len(np.unique(numbers)) == len(numbers)
        # A label is a class, and a class a label, the same in both sets.
        for x, y in ((support, task.support_y), (query, task.query_y)):
            pairs = set(zip(x[:, 0].tolist(), y.numpy().tolist(), strict=True))
            assert len(pairs) == ways == len(dict(pairs))
        classes = np.unique(support[:, 0]).astype(int)
        queries = min(10, SIZES[classes].min() // 2)
        assert (np.bincount(query[:, 0].astype(int))[classes] == queries).all()
        shots = np.bincount(support[:, 0].astype(int))[classes]
        assert (1 <= shots).all() and (shots <= SIZES[classes] - queries).all()
        assert len(support) <= 60 or (shots == 1).any()


def test_sizes_vary_over_all_that_is_allowed(many):
    ways = np.bincount([len(np.unique(t.query_y)) for t in many], minlength=6)
    assert (np.abs(ways[2:] - 100) < 45).all()
    labels = np.bincount(np.concatenate([np.unique(t.query_y) for t in many]))
    assert (np.abs(labels / labels.mean() - 1) < 0.2).all()
    shots = [len(t.support_y) / len(np.unique(t.query_y)) for t in many]
    assert min(shots) < 2 and max(shots) > 15
    assert len({len(t.support_y) for t in many}) > 30


def test_shots_are_those_of_meta_dataset():
    """As many as its paper's formula gives on average, by NumPy."""
    sizes, queries, rng = (
        np.array([4, 4, 4, 20, 20]),
        2,
        np.random.default_rng(0),
    )
    shots = []
    for _ in range(20_000):
        beta, alpha = 1 - rng.random(), rng.uniform(np.log(0.5), np.log(2), 5)
        left = sizes - queries
        total = min(500, np.ceil(beta * np.minimum(100, left)).sum())
        weights = np.exp(alpha) * sizes
        more = np.floor(weights / weights.sum() * (total - 5)).astype(int)
        shots.append(np.minimum(more + 1, left))
    expected = np.mean(shots, 0)
    tasks = rt.VariedEpisodes(
        rt.LabelledExamples(np.zeros((52, 1)), [0, 4, 8, 12, 32, 52]), 5, 5
    )
    drawn = tf.function(
        lambda key: tasks.recipe._shots(
            key, tf.constant(sizes, tf.int32), tf.constant(queries)
        )
    )
    found = np.mean([drawn(tf.constant([7, i])) for i in range(4000)], 0)
    np.testing.assert_allclose(found, expected, rtol=0.04)


def test_a_task_is_a_function_of_seed_and_index(many):
    tasks = episodes(max_support=60)
    for a, b in zip(tasks.sample(tf.constant(7)), many[7], strict=True):
        np.testing.assert_array_equal(a, b)
    other = episodes(max_support=60, seed=1).sample(tf.constant(7))
    assert other.support_x.shape != many[7].support_x.shape or np.any(
        other.support_x != many[7].support_x
    )


def test_training_and_evaluation_trace_once():
    """And leave out the classes that a task does not have."""
    tasks = episodes()
    inputs = keras.Input((2,))
    x = keras.layers.Normalization(mean=[3.5, 120], variance=[4, 5000])(inputs)
    x = keras.layers.Dense(16, "relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(5)(x))
    learner = rt.MetaLearner(model, inner_optimizer=rt.SGD(0.01))
    history = learner.fit(
        tasks,
        4,
        iterations_per_epoch=2,
        validation_tasks=tasks,
        num_validation_tasks=50,
        verbose=0,
    )
    assert np.isfinite(history.history["loss"]).all()
    compiled = learner._outer_loop.compiled(tasks)
    assert compiled.tracing_count() == 1
    learner.evaluate(tasks, 100)
    measure = learner.evaluator.compiled(tasks, ["support"])
    assert measure.tracing_count() == 1


def test_a_class_that_is_absent_is_no_answer():
    """A model that always prefers output 4 is right where only 4 is left."""
    tasks = episodes()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5)])
    model.set_weights([np.zeros((2, 5)), np.arange(5.0)])
    learner = rt.MetaLearner(model)
    [score] = learner.evaluate(tasks, 50, steps=0)
    expected = [
        np.mean(task.query_y == task.support_y.numpy().max())
        for task in (tasks.sample(tf.constant(i)) for i in range(50))
    ]
    assert score.value == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"max_ways": 9}, "max_ways=9 is more than the 8 classes"),
        ({"ways": 6}, "max_ways must be at least 6; received 5"),
        ({"ways": 1}, "ways must be at least 2"),
        ({"max_support": 4}, "max_support must be at least 5; received 4"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        episodes(**settings)


def test_a_class_of_one_example_is_refused():
    lonely = rt.LabelledExamples(np.zeros((5, 1)), [0, 2, 3, 5], "abc")
    with pytest.raises(ValueError, match="class 'b' has a single example"):
        rt.VariedEpisodes(lonely, ways=2, max_ways=2)
