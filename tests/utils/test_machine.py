"""How TensorFlow uses the machine, and what people are told of it."""

import subprocess
import sys

import pytest
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
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    return lines


def test_the_first_fit_says_what_helps_once(told):
    learner = rt.MetaLearner(
        rt.models.sine_mlp(), loss="mean_squared_error", metric="mse"
    )
    learner.fit(rt.SineWaves(10), 1, verbose=0)
    learner.evaluate(rt.SineWaves(10), 2)
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
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 1)
    machine.advise()
    assert told == []


def test_too_late_is_said():
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
