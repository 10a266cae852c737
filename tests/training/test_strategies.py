"""What processes do between their meeting and TensorFlow's own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from test_distribution import ROOT, free_ports

from reptile_tf.training import cluster as clusters
from reptile_tf.training import strategies
from reptile_tf.training.cluster import Cluster

PROCESS = """
import reptile_tf
reptile_tf.configure_tensorflow()
from reptile_tf.training import strategies
strategies.multi_worker({"seed": 1}, 3.0)
"""


def config(addresses):
    """Returns what makes a process the first of some workers."""
    task = {"type": "worker", "index": 0}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def wanted(monkeypatch, addresses):
    """Returns what a worker says it wants, which is to be alike in all."""
    told = []

    def meet(cluster, wants, timeout):
        told.append(wants)
        raise TimeoutError

    monkeypatch.setenv("TF_CONFIG", config(addresses))
    with monkeypatch.context() as patched:
        patched.setattr(clusters, "meet", meet)
        with pytest.raises(TimeoutError):
            strategies.multi_worker({"seed": 1}, 3.0)
    return told[0]


def test_packages_must_be_of_the_same_versions(monkeypatch):
    wants = wanted(monkeypatch, ["127.0.0.1:1", "127.0.0.1:2"])
    assert wants["seed"] == 1
    for package in ("reptile_tf", "tensorflow", "keras", "numpy"):
        assert wants[package].count(".") >= 2
    assert wants["intra_op_threads"] == 1


@pytest.mark.parametrize("interrupted", [False, True])
def test_one_that_is_lost_after_they_met_ends_the_others(
    monkeypatch, interrupted
):
    port = free_ports(2)
    addresses = [f"127.0.0.1:{port + i}" for i in range(2)]
    wants = wanted(monkeypatch, addresses)
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "TF_CONFIG": config(addresses)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # It meets worker 1, which then does nothing.
        clusters.meet(Cluster(tuple(addresses), 1), wants, 60.0)
        assert "all 2 are there" in process.stdout.readline()
        start = time.monotonic()
        if interrupted:
            timer = threading.Timer(
                1.0, os.killpg, [process.pid, signal.SIGINT]
            )
            timer.start()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert (time.monotonic() - start < 2.9) == interrupted
    told = "one was lost: TensorFlow has waited for it for 3 s" in said
    assert told != interrupted
