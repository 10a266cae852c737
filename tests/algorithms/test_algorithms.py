"""Meta-gradients: by hand, by each other, and by numerical derivatives."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from graphs import operations
from toys import regression, weight

from reptile_tf import (
    ANIL,
    FOMAML,
    MAML,
    SGD,
    Adam,
    Episodes,
    GradientCombination,
    LabelledExamples,
    MetaLearner,
    Reptile,
    Task,
    algorithms,
    models,
)
from reptile_tf.algorithms import adapt, fomaml, mini_batches
from reptile_tf.data.task import recipe_of
from reptile_tf.models import BatchNormalization
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.utils import random

ALPHA, STEPS, BATCH, SUPPORT = 0.1, 3, 2, 6

EVERY = [
    Reptile(),
    GradientCombination((1, 1, 1)),
    GradientCombination((0, 0, 1)),
    GradientCombination((0.5, -1, 2)),
    FOMAML(),
    FOMAML("shared"),
    FOMAML("separate"),
    MAML(),
    ANIL(),
]


class Waves:
    """Tasks of 6 support and 4 query points, whatever the dtype."""

    input_shape = (2,)

    def __init__(self, queries=4, support=SUPPORT, dtype="float64"):
        self.queries, self.support, self.dtype = queries, support, dtype

    def sample(self, index):
        key = random.fold_in(7, index)
        x_key, y_key, task_key = random.split(key, 3)
        size = self.support + self.queries
        x = random.uniform(x_key, [size, 2], -1.0, 1.0)
        slope = random.uniform(y_key, [2, 1], -1.0, 1.0)
        x, slope = tf.cast(x, self.dtype), tf.cast(slope, self.dtype)
        y = tf.sin(3 * x @ slope)
        n = self.support
        return Task(x[:n], y[:n], x[n:], y[n:], task_key)


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((2,), dtype="float64"),
            keras.layers.Dense(4, "tanh", dtype="float64"),
            keras.layers.Dense(1, dtype="float64"),
        ]
    )


def learner(algorithm=Reptile(), **settings):
    settings = {
        "inner_optimizer": SGD(ALPHA),
        "inner_steps": STEPS,
        "inner_batch_size": BATCH,
        "meta_batch_size": 1,
        "loss": keras.losses.MeanSquaredError(dtype="float64"),
        "metric": keras.metrics.MeanSquaredError(name="mse"),
        **settings,
    }
    return MetaLearner(network(), algorithm=algorithm, **settings)


def lesson(learner, index=0):
    """What the learner's meta-gradient makes of a task, uncompiled."""
    return learner.algorithm(
        learner._loop,
        learner.functional.phi(),
        learner.inner_state,
        Waves().sample(tf.constant(index, tf.int64)),
    )


BY_HAND = network()


def at(learner, weights):
    """The network with the given weights, made once: cloning is slow."""
    BY_HAND.set_weights(
        [t.numpy() for t in learner.functional.unflatten(weights)]
    )
    return BY_HAND


def gradient(learner, weights, x, y):
    """Of the summed loss at `weights`, by the network itself."""
    model = at(learner, weights)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.reduce_mean((model(x) - y) ** 2, -1))
    return learner.functional.flatten(
        tape.gradient(loss, model.trainable_variables)
    )


def inner_gradients(learner):
    """g_1 to g_k of task 0 and the weights after each step, by hand."""
    task = Waves().sample(tf.constant(0, tf.int64))
    rows = mini_batches(task.key, SUPPORT, learner.settings.inner_steps, BATCH)
    weights, found, trail = learner.functional.phi(), [], []
    for r in rows:
        g = gradient(
            learner,
            weights,
            tf.gather(task.support_x, r),
            tf.gather(task.support_y, r),
        )
        weights -= ALPHA * g
        found.append(g)
        trail.append(weights)
    return found, trail, task


def close(a, b, rtol=1e-9):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)


# What each of them is.


@pytest.mark.parametrize(
    "algorithm, weights",
    [
        (Reptile(), (1, 1, 1)),
        (GradientCombination((1, 1, 1)), (1, 1, 1)),
        (GradientCombination((0, 0, 1)), (0, 0, 1)),
        (GradientCombination((1 / 3, 1 / 3, 1 / 3)), (1 / 3, 1 / 3, 1 / 3)),
        (GradientCombination((0.5, -1, 2)), (0.5, -1, 2)),
        (FOMAML("shared"), (0, 0, 1)),
    ],
    ids=str,
)
def test_combinations_of_inner_gradients(algorithm, weights):
    one = learner(algorithm)
    found, trail, task = inner_gradients(one)
    expected = sum(c * g for c, g in zip(weights, found, strict=True))
    result = lesson(one)
    close(result.meta_gradient / ALPHA, expected)
    close(result.weights, trail[-1])
    # Its loss is the mean over steps, whatever their weights.
    losses = []
    rows = mini_batches(task.key, SUPPORT, STEPS, BATCH)
    for r, before in zip(rows, [one.functional.phi(), *trail], strict=False):
        x, y = (tf.gather(t, r) for t in (task.support_x, task.support_y))
        losses.append(tf.reduce_mean((at(one, before)(x) - y) ** 2))
    close(result.loss, np.mean(losses))


@pytest.mark.parametrize(
    "optimizer", [SGD(ALPHA), Adam(1e-2), Adam(1e-2, beta_1=0.9)], ids=str
)
def test_a_steps_change_stands_for_its_gradient(optimizer):
    """With any optimizer, and with dropout that goes on from step to step."""
    weights = 0.5, -1, 2
    keras.utils.set_random_seed(0)
    one = MetaLearner(
        keras.Sequential(
            [
                keras.Input((2,)),
                keras.layers.Dense(8, "tanh"),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(1),
            ]
        ),
        inner_optimizer=optimizer,
        inner_steps=STEPS,
        inner_batch_size=BATCH,
        algorithm=GradientCombination(weights),
        loss="mse",
        metric="mse",
    )
    task = Waves(dtype="float32").sample(tf.constant(0, tf.int64))
    phi, state = one.functional.phi(), one.inner_state
    result = one.algorithm(one._loop, phi, state, task)
    rows = mini_batches(task.key, SUPPORT, STEPS, BATCH)
    seen = task.support_x, task.support_y
    trail = [phi]
    for j in range(1, STEPS + 1):
        after, *_ = adapt(one._loop, phi, state, *seen, rows[:j], task.key)
        trail.append(after)
    expected = sum(
        c * (before - after)
        for c, before, after in zip(weights, trail[:-1], trail[1:], strict=True)
    )
    close(result.weights, trail[-1], 1e-5)
    np.testing.assert_allclose(result.meta_gradient, expected, atol=1e-6)


def test_reptile_of_one_step_is_joint_training():
    one = learner(inner_steps=1)
    [g], _, _ = inner_gradients(one)
    close(lesson(one).meta_gradient / ALPHA, g)


def test_reptile_of_two_steps_is_the_sum_of_two_gradients():
    one = learner(inner_steps=2)
    [g1, g2], _, _ = inner_gradients(one)
    close(lesson(one).meta_gradient / ALPHA, g1 + g2)
    two = learner(GradientCombination((1, 1)), inner_steps=2)
    close(lesson(two).meta_gradient, lesson(one).meta_gradient)


def test_fomaml_is_the_query_gradient_at_the_adapted_weights():
    one = learner(FOMAML())
    _, trail, task = inner_gradients(one)
    expected = gradient(one, trail[-1], task.query_x, task.query_y)
    result = lesson(one)
    close(result.meta_gradient / ALPHA, expected)
    close(result.weights, trail[-1])  # not adapted to the queries


def test_fomaml_keeps_the_last_batch_apart():
    key = random.fold_in(3, tf.constant(1))
    for steps in (1, 2, 4):
        batches = fomaml._last_apart(key, 10, steps, 3).numpy()
        assert batches.shape == (steps, 3)
        assert len(set(batches[-1])) == 3
        assert not set(batches[-1]) & set(batches[:-1].ravel())
        assert set(batches.ravel()) <= set(range(10))
    one = learner(FOMAML("separate"), inner_steps=2)
    task = Waves().sample(tf.constant(0, tf.int64))
    first, last = fomaml._last_apart(task.key, SUPPORT, 2, BATCH)

    def on(weights, rows):
        x, y = (tf.gather(t, rows) for t in (task.support_x, task.support_y))
        return gradient(one, weights, x, y)

    phi = one.functional.phi()
    expected = on(phi - ALPHA * on(phi, first), last)
    close(lesson(one).meta_gradient / ALPHA, expected)


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("algorithm", [MAML(), ANIL()], ids=str)
def test_maml_is_the_derivative_of_the_adapted_query_loss(algorithm, steps):
    one = learner(algorithm, inner_steps=steps)
    task = Waves().sample(tf.constant(0, tf.int64))
    rows = mini_batches(task.key, SUPPORT, steps, BATCH)
    adapts = np.ones(one.functional.size)
    if algorithm.head_only:
        adapts[: 2 * 4 + 4] = 0  # all but the last layer's 4 weights and bias

    def adapted_query_loss(phi):
        weights = tf.constant(phi)
        for r in rows:
            x, y = (tf.gather(t, r) for t in (task.support_x, task.support_y))
            weights -= ALPHA * adapts * gradient(one, weights, x, y)
        model = at(one, weights)
        error = (model(task.query_x) - task.query_y) ** 2
        return tf.reduce_sum(error).numpy()

    phi, h = one.functional.phi().numpy(), 1e-5
    numerical = [
        (adapted_query_loss(phi + h * e) - adapted_query_loss(phi - h * e))
        / (2 * h)
        for e in np.eye(len(phi))
    ]
    exact = lesson(one).meta_gradient / ALPHA
    np.testing.assert_allclose(exact, numerical, rtol=1e-6, atol=1e-8)
    first_order = lesson(learner(FOMAML(), inner_steps=steps)).meta_gradient
    assert np.abs(exact - first_order / ALPHA).max() > 1e-2


def convolutions(dtype):
    """A smooth network, as kinks would spoil numerical derivatives."""
    inputs = keras.Input((6, 6, 1), dtype=dtype)
    x = keras.layers.Conv2D(3, 3, strides=2, dtype=dtype)(inputs)
    x = BatchNormalization(epsilon=1e-3, dtype=dtype)(x)
    x = keras.layers.Activation("tanh", dtype=dtype)(x)
    x = keras.layers.Flatten(dtype=dtype)(x)
    x = BatchNormalization(epsilon=1e-3, dtype=dtype)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, dtype=dtype)(x))
    noise = np.random.default_rng(0)
    for variable in model.trainable_variables:
        start = 1.0 if "gamma" in variable.name else 0.0
        variable.assign(start + noise.normal(size=variable.shape) / 2)
    return model


def test_maml_through_batch_normalization():
    """Fused in float32, not in float64; tf.nn.moments would be 5% off."""
    noise = np.random.default_rng(1)
    x, query_x = noise.normal(size=[2, 6, 6, 6, 1])
    y = tf.constant([0, 1, 2, 0, 1, 2])
    found = {}
    for dtype in ("float32", "float64"):
        one = MetaLearner(
            convolutions(dtype),
            inner_optimizer=SGD(0.05),
            inner_steps=2,
            inner_batch_size=3,
            algorithm=MAML(),
        )
        task = Task(
            *(tf.constant(x, dtype), y, tf.constant(query_x, dtype), y),
            tf.constant([1, 2]),
        )
        phi = one.functional.phi()
        lesson = one.algorithm(one._loop, phi, (), task)
        found[dtype] = lesson.meta_gradient / 0.05
    batches = mini_batches(task.key, 6, 2, 3)

    @tf.function(autograph=False)
    def adapted_query_loss(phi):
        weights, _, _ = adapt(
            one._loop, phi, (), task.support_x, y, batches, task.key
        )
        parts = one.functional.cut(weights)
        return one._loop.objective(parts, task.query_x, y, task.key)[0]

    h = 1e-6
    numerical = [
        (adapted_query_loss(phi + h * e) - adapted_query_loss(phi - h * e))
        / (2 * h)
        for e in np.eye(len(phi))
    ]
    size = np.linalg.norm(numerical)
    assert np.linalg.norm(found["float64"] - numerical) < 1e-6 * size
    assert np.linalg.norm(found["float32"] - numerical) < 1e-4 * size


def test_by_hand_in_training():
    """On target c a step of SGD(0.25) halves the distance to it."""

    class Two:  # a support example at c = 1 and a query at c = 3
        input_shape = (1,)

        def sample(self, index):
            one, y = tf.ones([1, 1]), tf.constant([[1.0]])
            return Task(one, y, one, 3 * y, random.fold_in(0, index))

    moved = {}
    for each in (FOMAML(), MAML(), Reptile()):
        one = regression(inner_steps=1, meta_batch_size=2, algorithm=each)
        one.fit(Two(), 1, verbose=0)
        moved[str(each)] = weight(one.model)
    # W~ = 0.5; 0.25 times the query's gradient 2 (0.5 - 3) is -1.25; through
    # the step, whose derivative is a half, half of that.
    assert moved == {"reptile": 0.5, "fomaml": 1.25, "maml": 0.625}


# The contract of all of them.


@pytest.mark.parametrize("algorithm", EVERY, ids=str)
def test_contract(algorithm):
    assert algorithms.from_name(str(algorithm)) == algorithm
    one = learner(algorithm)
    phi = one.functional.phi()
    direct = [lesson(one, i) for i in range(2)]
    close(one.functional.phi(), phi)
    for result in direct:
        assert result.meta_gradient.shape == result.weights.shape == phi.shape
        assert np.abs(result.meta_gradient).max() > 0
        assert np.abs(result.weights - phi).max() > 0
        assert result.loss > 0
    # fit descends the mean over the meta-batch, in both modes, compiled.
    for mode in ("serial", "parallel"):
        two = learner(algorithm, meta_batch_size=2, meta_batch_mode=mode)
        history = two.fit(Waves(), 1, iterations_per_epoch=1, verbose=0)
        mean = (direct[0].meta_gradient + direct[1].meta_gradient) / 2
        close(two.functional.phi(), phi - mean, 1e-8)
        assert history.history["query_mse"][0] > 0


@pytest.mark.parametrize("algorithm", EVERY, ids=str)
def test_saved_and_loaded(algorithm, tmp_path):
    learner(algorithm).save(tmp_path / "learner.zip")
    loaded = MetaLearner.load(tmp_path / "learner.zip")
    assert loaded.algorithm == algorithm
    assert (not all(loaded.functional.adapts)) == algorithm.head_only


@pytest.mark.parametrize("algorithm", [FOMAML("separate"), ANIL()], ids=str)
def test_saved_and_loaded_it_goes_on_alike(algorithm, tmp_path):
    one = learner(algorithm)
    one.fit(Waves(), 2, verbose=0)
    one.save(tmp_path / "learner.zip")
    other = MetaLearner.load(tmp_path / "learner.zip")
    one.fit(Waves(), 3, verbose=0)
    other.fit(Waves(), 3, verbose=0)
    np.testing.assert_array_equal(one.functional.phi(), other.functional.phi())


@pytest.mark.parametrize(
    "algorithm", [Reptile(), FOMAML(), FOMAML("separate")], ids=str
)
def test_adams_state_runs_through_all_steps(algorithm):
    one = learner(algorithm, inner_optimizer=Adam(1e-2), meta_batch_size=2)
    one.fit(Waves(), 2, verbose=0)
    steps = STEPS + (algorithm == FOMAML())  # its step on the queries
    assert one.inner_state.step == 2 * 2 * steps


@pytest.mark.parametrize(
    "algorithm", [e for e in EVERY if not e.needs_query], ids=str
)
def test_tasks_without_queries(algorithm):
    history = learner(algorithm).fit(Waves(queries=0), 2, verbose=0)
    assert "query_mse" not in history.history
    assert np.isfinite(history.history["loss"][0])


def test_anil_adapts_the_head_alone():
    one = learner(ANIL())
    before = [w.copy() for w in one.model.get_weights()]
    task = Waves().sample(tf.constant(0, tf.int64))
    adapted = one.adapt(task.support_x, task.support_y).get_weights()
    for i in (0, 1):  # the body
        np.testing.assert_array_equal(adapted[i], before[i])
    for i in (2, 3):  # the head
        assert np.all(adapted[i] != before[i])
    one.fit(Waves(), 1, verbose=0)
    for now, then in zip(one.model.get_weights(), before, strict=True):
        assert np.all(now != then)


class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = keras.layers.Dense(1)
        self.body = keras.layers.Dense(2)

    def call(self, x):
        return self.head(self.body(x))


def test_the_head_is_the_layer_before_the_output():
    """Whatever was made first, and within models within models."""
    head = keras.layers.Dense(1, name="head")
    body = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    inputs = keras.Input((2,))
    whole = keras.Model(inputs, keras.layers.ReLU()(head(body(inputs))))
    for model in (whole, keras.Sequential([keras.Input((2,)), whole])):
        functional = FunctionalModel(model, head_only=True)
        parts = functional.cut(tf.zeros([functional.size]))
        ones = [tf.ones_like(p) for p in functional.adapting_parts(parts)]
        moved = functional.join(functional.with_adapted(parts, ones))
        variables = model.trainable_variables
        for variable, values in zip(
            variables, functional.unflatten(moved), strict=True
        ):
            assert np.all(values == float("head" in variable.path))
    inputs = keras.Input((2,))
    two = [keras.layers.Dense(1, name=f"branch{i}")(inputs) for i in range(2)]
    forked = keras.Model(inputs, keras.layers.add(two))
    subclassed = Subclassed()
    subclassed(np.zeros([1, 2]))
    for model, words in ((forked, "branch0.*branch1"), (subclassed, "no such")):
        with pytest.raises(ValueError, match=f"must be one layer.*{words}"):
            MetaLearner(
                model,
                inner_optimizer=SGD(0.1),
                algorithm=ANIL(),
                loss="mse",
                metric="mse",
            )


def test_anil_takes_no_gradient_of_the_body_in_inner_steps():
    """It is most of a step's time, and nothing would come of it."""
    pictures = np.zeros([40, 28, 28, 1], np.uint8)
    classes = LabelledExamples(pictures, [0, 20, 40])
    tasks = Episodes(classes, ways=2, shots=1)
    of_evaluation = {}
    for algorithm in (MAML(), ANIL()):
        one = MetaLearner(
            models.omniglot_cnn(2),
            inner_optimizer=SGD(0.1),
            algorithm=algorithm,
        )
        compiled = one.evaluator.compiled(tasks, ["transductive"])
        of_evaluation[str(algorithm)] = operations(
            compiled.traced(
                *(one.functional.phi(), one.inner_state, tf.constant(5)),
                *(tf.range(2, dtype=tf.int64), recipe_of(tasks)[1]),
            )
        )
    assert "Conv2DBackpropInput" in of_evaluation["maml"]
    assert "Conv2DBackpropInput" not in of_evaluation["anil"]


def test_the_meta_optimizer_clips():
    phi = learner().functional.phi()
    plain, clipped = (
        learner(meta_optimizer=keras.optimizers.SGD(1.0, **settings))
        for settings in ({}, {"global_clipnorm": 1e-3})
    )
    for each in (plain, clipped):
        each.fit(Waves(), 1, verbose=0)
    move = plain.functional.phi() - phi
    short = clipped.functional.phi() - phi
    close(short, move * 1e-3 / tf.norm(move), 1e-6)


# Refusals.


@pytest.mark.parametrize(
    "settings, words",
    [
        (
            {"algorithm": GradientCombination((1, 1))},
            ["inner_steps=3", "2 weights"],
        ),
        (
            {"algorithm": MAML(), "inner_optimizer": Adam(1e-3)},
            ["algorithm=maml", "inner_optimizer", "SGD"],
        ),
        (
            {"algorithm": ANIL(), "inner_optimizer": Adam(1e-3)},
            ["algorithm=anil", "inner_optimizer", "SGD"],
        ),
    ],
)
def test_refused_at_construction(settings, words):
    with pytest.raises(ValueError) as error:
        learner(**settings)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("name", ["Batch", "Group", "Layer"])
def test_maml_refuses_wrong_second_derivatives(name):
    kind = getattr(keras.layers, f"{name}Normalization")
    layer = kind(groups=2) if name == "Group" else kind()
    model = keras.Sequential(
        [keras.Input((2,)), keras.Sequential([layer]), keras.layers.Dense(2)]
    )
    settings = {"inner_optimizer": SGD(0.1), "inner_batch_size": 1}
    MetaLearner(model, algorithm=FOMAML(), **settings)
    for algorithm in (MAML(), ANIL()):
        with pytest.raises(ValueError, match=f"{name}Normalization"):
            MetaLearner(model, algorithm=algorithm, **settings)


@pytest.mark.parametrize(
    "algorithm, tasks, words",
    [
        (MAML(), Waves(queries=0), ["algorithm=maml", "query"]),
        (FOMAML(), Waves(queries=0), ["algorithm=fomaml", "query"]),
        (
            GradientCombination((1, 1, 1)),
            Waves(support=5),
            ["inner_batch_size=2", "6 support examples", "has 5", "at most 1"],
        ),
        (
            FOMAML("separate"),
            Waves(support=3),
            ["inner_batch_size=2", "has 3", "at most 1"],
        ),
        (Reptile(), Waves(support=1), ["inner_batch_size=2", "at most 1"]),
    ],
)
def test_tasks_refused_before_any_work(algorithm, tasks, words):
    one = learner(algorithm)
    phi = one.functional.phi()
    with pytest.raises(ValueError) as error:
        one.fit(tasks, 1, verbose=0)
    for word in words:
        assert word in str(error.value)
    close(one.functional.phi(), phi)


def test_evaluation_refuses_tasks_without_queries():
    with pytest.raises(ValueError, match="query"):
        learner().evaluate(Waves(queries=0), 2)


@pytest.mark.parametrize("text", ["", "reptil", "1,x", "1/0", "0,0"])
def test_names_refused(text):
    with pytest.raises(ValueError, match=r"algorithm|weights"):
        algorithms.from_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *("1e999999999", "1,1e-999999999", "1E1_000_0", "1e400", "9" * 10_000),
        *("1/" + "3" * 10_000, "1" * 5_000 + "," + "x" * 10_000, "e" * 1000),
    ],
    ids=lambda text: text[:12],
)
def test_weights_that_would_take_for_ever_are_refused_at_once(text):
    """And the message is short, however long they are."""
    began = time.monotonic()
    with pytest.raises(ValueError, match="algorithm .* such as 1/2,1/2") as no:
        algorithms.from_name(text)
    assert time.monotonic() - began < 1
    assert len(str(no.value)) < 300
    for weights in ((1.0,) * 9999, (0.0,) * 9999):
        with pytest.raises(ValueError, match="weights") as no:
            GradientCombination(weights).require(5, Adam(0.1))
        assert len(str(no.value)) < 300


def test_names_of_batches_refused():
    with pytest.raises(ValueError, match="last_batch"):
        FOMAML("tail")


def test_fractions_are_read():
    third = GradientCombination((1 / 3, 1 / 3, 1 / 3))
    assert algorithms.from_name("1/3,1/3,1/3") == third
    small = GradientCombination((1e-300, 2.5e-7, 1 / 3))
    assert algorithms.from_name(str(small)) == small
    assert algorithms.from_name(" +1e-300,25e-8 , 1/3") == small
