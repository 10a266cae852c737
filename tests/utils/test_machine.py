"""How TensorFlow uses the machine, and what people are told of it."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import logging

import reptile_tf as rt
from reptile_tf.utils import machine


@pytest.fixture
def told(monkeypatch):
    """What is said, on two cores, where TensorFlow chose its threads."""
    lines = []
    monkeypatch.setattr(logging, "warning", lines.append)
    monkeypatch.setattr(machine, "_asked", [])
    monkeypatch.setattr(machine, "configured", lambda: (0, 0))
    monkeypatch.setattr(machine, "cores", lambda: 2)
    return lines


@pytest.mark.parametrize("first", ["fit", "evaluate"])
def test_the_first_fit_or_evaluate_says_what_helps_once(told, first):
    learner = rt.MetaLearner(
        rt.models.sine_mlp(), loss="mean_squared_error", metric="mse"
    )
    calls = {
        "fit": lambda: learner.fit(rt.SineWaves(10), 1, verbose=0),
        "evaluate": lambda: learner.evaluate(rt.SineWaves(10), 2),
    }
    calls.pop(first)()
    assert len(told) == 1
    for call in calls.values():
        call()
    [line] = told
    assert "configure_tensorflow() before you import" in line


def test_who_has_chosen_is_told_nothing(told, monkeypatch):
    monkeypatch.setattr(machine, "configured", lambda: (0, 2))
    rt.configure_tensorflow(intra_op_threads=0, inter_op_threads=2)
    machine.advise()
    assert told == []


def test_one_core_or_one_thread_needs_no_advice(told, monkeypatch):
    monkeypatch.setattr(machine, "configured", lambda: (1, 0))
    machine.advise()
    monkeypatch.setattr(machine, "configured", lambda: (0, 0))
    monkeypatch.setattr(machine, "cores", lambda: 1)
    machine.advise()
    assert told == []


def test_as_many_operations_as_cores_unless_chosen(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 6)
    for chosen, expected in (((1, 0), 6), ((1, 4), 4)):
        monkeypatch.setattr(machine, "configured", lambda c=chosen: c)
        assert machine.operations_at_a_time() == expected


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system has no such sets"
)
def test_cores_that_the_process_may_not_use_do_not_count():
    code = (
        "import os, reptile_tf; from reptile_tf.utils import machine; "
        "os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1]); "
        "reptile_tf.configure_tensorflow(); print(*machine.configured())"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True).split() == ["1", "1"]


def test_too_late_is_said():
    tf.zeros([])  # TensorFlow begins to compute
    with pytest.raises(RuntimeError, match="when it begins to compute, which"):
        rt.configure_tensorflow(intra_op_threads=7)


def test_it_comes_before_tensorflow():
    code = (
        "import os, sys, reptile_tf; "
        "assert 'tensorflow' not in sys.modules; "
        "os.environ.pop('TF_ENABLE_ONEDNN_OPTS', None); "
        "reptile_tf.configure_tensorflow(); "
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True).strip() == "1"
