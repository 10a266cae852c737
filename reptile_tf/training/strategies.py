"""Strategies of tf.distribute, made of what a machine has."""

import importlib.metadata
import json
import os
import signal
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from reptile_tf.training import cluster as clusters


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
    clusters.meet(cluster, versions | dict(wants), start_timeout)
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": cluster.addresses},
            "task": {"type": "worker", "index": cluster.worker},
        }
    )
    # TensorFlow now waits in a way that no Python code can end: an alarm, whose
    # default is to end the process, is for a worker that is lost in between.
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    ending = signal.getsignal(signal.SIGTERM)
    workers = len(cluster.addresses)
    print(
        f"{cluster.name(cluster.worker)}: all {workers} are there", flush=True
    )
    signal.alarm(max(1, round(start_timeout)))
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        # TensorFlow took it, for machines that are about to be taken away.
        signal.signal(signal.SIGTERM, ending)
