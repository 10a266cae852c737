"""Memory stays flat, whatever a learner sees."""

import gc
import os

import numpy as np
import pytest
from models_table import L, sequential

import reptile_tf as rt

MB = 1 << 20


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
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
