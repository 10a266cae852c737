"""Replicas end at the numbers of one process, to the last bit."""

import functools
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import replicas
import tensorflow as tf
from models_table import sequential

import reptile_tf as rt
from reptile_tf.training.distribution import Distribution

ROOT = pathlib.Path(__file__).parents[2]


def free_ports(count):
    """Returns the first of some ports, one after another, that are free."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
        try:
            for i in range(count):
                with socket.socket() as other:
                    other.bind(("127.0.0.1", port + i))
        except (OSError, OverflowError):
            continue
        return port


def by_replicas(folder, kind, count, algorithms):
    """Returns what each of the processes found."""
    processes, port = count if kind == "workers" else 1, free_ports(count)
    python = [sys.executable, replicas.__file__]
    outputs = [folder / f"{i}.npz" for i in range(processes)]
    words = kind, str(count), ",".join(algorithms)
    running = [
        subprocess.Popen(
            [*python, output, *words, *([str(i), str(port)] * (processes > 1))],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for i, output in enumerate(outputs)
    ]
    try:
        assert [process.wait(240) for process in running] == [0] * processes
    finally:
        for process in running:
            process.kill()
    return [dict(np.load(output)) for output in outputs]


@functools.cache
def alone(algorithm):
    """What one process finds."""
    return replicas.trained(replicas.learner_of(algorithm), algorithm)


ALGORITHMS = "reptile", "fomaml", "maml"


@pytest.mark.parametrize(
    "kind, count, algorithms",
    [
        pytest.param("mirrored", 2, ALGORITHMS, marks=pytest.mark.long),
        pytest.param("mirrored", 3, ALGORITHMS, marks=pytest.mark.long),
        pytest.param("workers", 2, ALGORITHMS, marks=pytest.mark.long),
        ("mirrored", 3, ["reptile"]),
        ("workers", 2, ["fomaml"]),
    ],
)
def test_replicas_find_what_one_process_finds(
    tmp_path, kind, count, algorithms
):
    expected = {}
    for algorithm in algorithms:
        expected |= alone(algorithm)
    for found in by_replicas(tmp_path, kind, count, algorithms):
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def learner(**settings):
    return rt.MetaLearner(
        sequential([1], keras.layers.Dense(1)),
        loss="mean_squared_error",
        metric="mse",
        **settings,
    )


class Strategy(tf.distribute.OneDeviceStrategy):
    """As if it had several replicas."""

    replicas = 4

    @property
    def num_replicas_in_sync(self):
        return self.replicas


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"meta_batch_mode": "serial"}, "use meta_batch_mode=parallel"),
        (
            {"meta_batch_mode": "parallel", "meta_batch_size": 3},
            "meta_batch_size=3 leaves some of 4 replicas without a task; use "
            "at least 4",
        ),
    ],
)
def test_what_replicas_cannot_share_is_refused(settings, message):
    tasks = rt.SineWaves(10)
    with pytest.raises(ValueError, match=message):
        learner(**settings).fit(tasks, 1, strategy=Strategy("/CPU:0"))


def test_other_strategies_are_refused():
    for other in (
        "mirrored",
        tf.distribute.experimental.CentralStorageStrategy(["/CPU:0"]),
    ):
        with pytest.raises(ValueError, match="strategy must be one of"):
            learner().evaluate(rt.SineWaves(10), 2, strategy=other)


def test_a_strategy_is_compiled_for_once():
    assert Distribution() == Distribution() != Distribution(Strategy("/CPU:0"))
