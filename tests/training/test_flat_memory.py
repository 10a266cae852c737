"""Memory stays flat, whatever a learner sees."""

import ctypes
import gc
import os

import numpy as np
import pytest
from models_table import L, sequential

import reptile_tf as rt
from reptile_tf.training.settings import META_BATCH_MODES

MB = 1 << 20


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    # What was given back would hide what is kept.
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"), reason="needs Linux's /proc"
)


def learner():
    return rt.MetaLearner(
        sequential([64, 64, 1], L.GlobalAveragePooling2D(), L.Dense(3)),
        inner_optimizer=rt.SGD(0.1),
        inner_steps=1,
    )


@pytest.mark.long
def test_30_sets_of_tasks_are_not_kept(eagerly):
    """Each holds 4 MB; a few are kept, as they may be asked for again."""
    one = learner()

    def see(seed):
        pictures = np.full((1000, 64, 64, 1), seed, np.uint8)
        classes = rt.LabelledExamples.from_labels(
            pictures, np.arange(1000) % 20
        )
        one.evaluate(rt.Episodes(classes, 3, 1, seed=seed), 2)

    for seed in range(10):
        see(seed)
    before = resident()
    for seed in range(10, 40):
        see(seed)
    assert resident() - before < 40 * MB  # 30 of them are 120 MB


@pytest.mark.parametrize(
    "count", [20, pytest.param(200, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("kind", ["episodes", "waves", "python"])
def test_other_tasks_of_one_form_are_not_traced_anew(kind, count):
    """Neither time nor memory is spent on what differs: it is an input."""

    def episodes(seed):
        pictures = np.full((20 + seed % 3, 8, 8, 1), seed, np.uint8)
        classes = rt.LabelledExamples.from_labels(
            pictures, np.arange(len(pictures)) % 4
        )
        return rt.Episodes(classes, 3, 1, seed=seed)

    def python(seed):
        x = np.full((2, 1), seed, np.float32)
        return rt.tasks_from_function(lambda i: (x + i, x, x, x))

    tasks_of = {"episodes": episodes, "waves": rt.SineWaves, "python": python}
    if kind == "episodes":
        one = rt.MetaLearner(sequential([8, 8, 1], L.Flatten(), L.Dense(3)))
    else:
        one = rt.MetaLearner(
            sequential([1], L.Dense(1)), loss="mean_squared_error", metric="mse"
        )
    tasks = [
        tasks_of[kind](seed=seed) if kind == "waves" else tasks_of[kind](seed)
        for seed in range(count)
    ]
    scores = []
    for each in tasks[:5]:
        scores += one.evaluate(each, 2)
    before = resident()
    for each in tasks[5:]:
        scores += one.evaluate(each, 2)
    assert resident() - before < 4 * MB + count * MB / 50
    measure = one.evaluator.compiled(tasks[0], ["support"])
    # The second is of any number of examples.
    assert measure.tracing_count() <= 2
    again = one.evaluate(tasks[0], 2)
    assert again == scores[:1]  # what came after was of its own tasks


@pytest.mark.long
def test_100_000_iterations_leave_nothing():
    one = rt.MetaLearner(
        sequential([1], L.Dense(1)),
        inner_optimizer=rt.SGD(0.01),
        loss="mean_squared_error",
        metric="mse",
        inner_steps=1,
        meta_batch_size=1,
    )
    tasks = rt.SineWaves(10)
    one.fit(tasks, 10_000, verbose=0)
    before = resident()
    one.fit(tasks, 110_000, iterations_per_epoch=10_000, verbose=0)
    assert resident() - before < 5 * MB  # 0.05 KB each


@pytest.mark.long
def test_evaluations_leave_nothing():
    one = learner()
    pictures = np.zeros((20, 64, 64, 1), np.uint8)
    classes = rt.LabelledExamples.from_labels(pictures, np.arange(20) % 4)
    tasks = rt.Episodes(classes, 3, 1, query_shots=1)
    for _ in range(100):
        one.evaluate(tasks, 2)
    before = resident()
    for _ in range(400):
        one.evaluate(tasks, 2)
    assert resident() - before < 4 * MB  # 10 KB each


@pytest.fixture(scope="module")
def pictures():
    """40 of them, in 4 classes."""
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1))
    labels = np.arange(40) % 4
    return rt.LabelledExamples.from_labels(images.astype(np.uint8), labels)


def of_pictures(mode):
    """Convolution, batch normalization and moments: all that training has."""
    body = (
        L.Conv2D(8, 3, strides=2),
        rt.models.BatchNormalization(),
        L.ReLU(),
        L.Flatten(),
    )
    return rt.MetaLearner(
        sequential([16, 16, 1], *body, L.Dense(3)),
        inner_steps=2,
        inner_batch_size=4,
        meta_batch_size=2,
        meta_batch_mode=mode,
    )


@pytest.mark.long
@pytest.mark.parametrize("mode", META_BATCH_MODES)
def test_2000_iterations_leave_nothing(mode, pictures):
    one = of_pictures(mode)
    tasks = rt.Episodes(pictures, 3, 2, query_shots=2)
    one.fit(tasks, 500, verbose=0)
    before = resident()
    one.fit(tasks, 2500, iterations_per_epoch=500, verbose=0)
    assert resident() - before < 4 * MB  # 2 KB each


@pytest.mark.long
def test_an_evaluation_on_2000_tasks_leaves_nothing(pictures):
    one = of_pictures("serial")
    tasks = rt.Episodes(pictures, 3, 2, query_shots=2)
    one.evaluate(tasks, 500)
    before = resident()
    one.evaluate(tasks, 2000)
    assert resident() - before < 4 * MB  # 2 KB each
