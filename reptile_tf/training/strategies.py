"""Strategies of tf.distribute, made of what a machine has."""

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from reptile_tf.training import cluster as clusters
from reptile_tf.utils import machine


def mirrored(logical_devices: int | None = None) -> tf.distribute.Strategy:
    """Returns a strategy over this process's devices.

    Args:
        logical_devices: into how many devices the processor is divided, at
            least 1, which is only possible before TensorFlow does anything;
            all GPUs if None.

    Raises:
        ValueError: there is no GPU, or TensorFlow has begun.
    """
    if logical_devices is None:
        if not tf.config.list_physical_devices("GPU"):
            raise ValueError(
                "strategy=mirrored uses all GPUs, and TensorFlow finds none; "
                "--logical_devices=2 divides the processor into two devices"
            )
        return tf.distribute.MirroredStrategy()
    [processor] = tf.config.list_physical_devices("CPU")
    try:
        tf.config.set_logical_device_configuration(
            processor,
            [tf.config.LogicalDeviceConfiguration()] * logical_devices,
        )
    except RuntimeError as error:
        raise ValueError(
            f"logical_devices={logical_devices} must be said before TensorFlow "
            "does anything"
        ) from error
    names = [f"/CPU:{i}" for i in range(logical_devices)]
    return tf.distribute.MirroredStrategy(names)


def multi_worker(
    wants: Mapping[str, Any], start_timeout: float
) -> tf.distribute.Strategy:
    """Returns a strategy over processes, each of which calls this.

    TF_CONFIG names them, or Slurm. Call it before TensorFlow does anything.

    Args:
        wants: what must be alike in all of them; see
            `reptile_tf.training.cluster.meet`.
        start_timeout: how long to wait for the others, in seconds, above 0.

    Raises:
        TimeoutError: not all of them came.
        ValueError: they were started differently, or nothing names them.
    """
    cluster = clusters.named_by_environment()
    packages = ("reptile_tf", "tensorflow", "keras", "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    # Sums that are divided among threads are rounded otherwise.
    threads = {"intra_op_threads": machine.configured()[0] or machine.cores()}
    clusters.meet(cluster, {**versions, **threads, **wants}, start_timeout)
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": cluster.addresses},
            "task": {"type": "worker", "index": cluster.worker},
        }
    )
    ending = signal.getsignal(signal.SIGTERM)
    workers = len(cluster.addresses)
    print(
        f"{cluster.name(cluster.worker)}: all {workers} are there", flush=True
    )
    lost = (
        f"{cluster.name(cluster.worker)}: all {workers} workers met, and then "
        f"one was lost: TensorFlow has waited for it for {start_timeout:g} s. "
        "Start all workers again with the same command"
    )
    try:
        with _ends_after(start_timeout, lost):
            return tf.distribute.MultiWorkerMirroredStrategy()
    finally:
        # TensorFlow took it, for machines that are about to be taken away.
        signal.signal(signal.SIGTERM, ending)


# Waits for the end of its input, and ends the process that it is given if that
# does not come in time, or Ctrl-C comes before.
_WATCH = """
import os, select, signal, sys
process, seconds, line = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
signal.signal(signal.SIGINT, lambda *_: os.kill(process, signal.SIGKILL))
if not select.select([sys.stdin], [], [], seconds)[0]:
    print(line, file=sys.stderr, flush=True)
    os.kill(process, signal.SIGKILL)
"""


@contextlib.contextmanager
def _ends_after(seconds: float, line: str) -> Iterator[None]:
    """Ends this process, with a line that says why, if a block takes longer.

    While TensorFlow waits for others no Python code can run here, so another
    process sees to it.

    Args:
        seconds: that the block may take.
        line: what is printed.
    """
    words = str(os.getpid()), str(seconds), line
    watching = subprocess.Popen(
        [sys.executable, "-S", "-c", _WATCH, *words], stdin=subprocess.PIPE
    )
    try:
        yield
    finally:
        watching.communicate()
