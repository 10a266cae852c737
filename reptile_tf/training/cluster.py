"""Processes that train as one: who they are, that all came, and want the same.

TensorFlow waits for workers without end, holding all of Python meanwhile, and
asks nothing of them. So they meet here first, over a plain connection: each
sends what it is to do to worker 0, which lets them go when all of them are to
do the same.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from reptile_tf.utils.validation import require_at_least

# What a stranger who connects can cost: bytes, and seconds.
_MOST_BYTES = 1 << 20
_PATIENCE = 10.0


class Cluster(NamedTuple):
    """The processes of a training.

    Attributes:
        addresses: host:port of each worker.
        worker: which of them this process is; 0 is the chief.
    """

    addresses: tuple[str, ...]
    worker: int

    def name(self, worker: int) -> str:
        """Returns what messages call a worker."""
        return f"worker {worker} ({self.addresses[worker]})"


def named_by_environment() -> Cluster:
    """Returns the cluster that TF_CONFIG names, or else Slurm.

    Raises:
        ValueError: neither does, or it is not one of workers.
    """
    text = os.environ.get("TF_CONFIG")
    if text:
        return _of_config(text)
    if "SLURM_STEP_NUM_TASKS" in os.environ:
        return _of_slurm()
    example = {
        "cluster": {"worker": ["host0:12345", "host1:12345"]},
        "task": {"type": "worker", "index": 0},
    }
    raise ValueError(
        "strategy=multi_worker needs to know the workers: set TF_CONFIG, as in "
        f"TF_CONFIG='{json.dumps(example)}', or start with Slurm's srun"
    )


def _of_config(text: str) -> Cluster:
    try:
        config = json.loads(text)
        addresses, task = config["cluster"]["worker"], config["task"]
        index, kind = int(task["index"]), task["type"]
        named = [tuple(str(a).rsplit(":", 1)) for a in addresses]
        known = all(host and 0 < int(port) < 1 << 16 for host, port in named)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"TF_CONFIG={text} is no cluster: {error!r}"
        ) from error
    others = sorted(set(config["cluster"]) - {"worker"})
    if others or kind != "worker" or not known or not 0 <= index < len(named):
        raise ValueError(
            f"TF_CONFIG={text} must name workers alone, each by host:port, and "
            "this process as one of them"
        )
    return Cluster(tuple(addresses), index)


def _of_slurm() -> Cluster:
    import tensorflow as tf

    # It packs tasks by the GPUs of a node, which it would ask for; srun's
    # --gpus-per-task says which are whose.
    tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
    )
    addresses = resolver.cluster_spec().job_tasks("worker")
    return Cluster(tuple(addresses), resolver.task_id)


def meet(cluster: Cluster, wants: Mapping[str, Any], timeout: float) -> None:
    """Returns when all workers are there, and want the same.

    Args:
        cluster: the workers. Worker 0 listens at its own address, which is
            free again afterwards.
        wants: name -> value, as JSON can hold it, of all that must be alike.
        timeout: how long to wait for the others, in seconds, above 0.

    Raises:
        TimeoutError: names the workers that did not come.
        ValueError: names what two workers want differently.
        OSError: worker 0 cannot listen at its address.
    """
    require_at_least(0, start_timeout=timeout)
    if len(cluster.addresses) == 1:
        return
    ours = json.loads(json.dumps(dict(wants)))
    end = time.monotonic() + timeout
    refused = (_gather if cluster.worker == 0 else _report)(cluster, ours, end)
    if refused:
        raise ValueError(refused)


def _gather(cluster: Cluster, ours: dict, end: float) -> str:
    """Hears all workers; answers each, and returns, why they cannot begin."""
    port = int(cluster.addresses[0].rsplit(":", 1)[1])
    workers = len(cluster.addresses)
    missing = set(range(1, workers))
    there: dict[int, socket.socket] = {}
    differences: dict[int, str] = {}
    refused = f"{cluster.name(0)} was stopped before all were there"
    try:
        with socket.create_server(("", port), backlog=128) as server:
            while missing:
                server.settimeout(max(0.01, end - time.monotonic()))
                connection, _ = server.accept()
                try:
                    told = _heard(connection) or {}
                except BaseException:  # an interrupt
                    connection.close()
                    raise
                worker = told.get("worker")
                if type(worker) is not int or worker not in range(1, workers):
                    connection.close()  # a stranger
                    continue
                if worker in there:  # it was started again
                    there[worker].close()
                there[worker] = connection
                missing.discard(worker)
                differences[worker] = _difference(cluster, ours, told)
                if not missing:  # unless one has ended by now
                    missing = {w for w, c in there.items() if _hung_up(c)}
        refused = next(filter(None, differences.values()), "")
    except TimeoutError:
        names = ", ".join(map(cluster.name, sorted(missing)))
        refused = (
            f"{names} did not come in time; start all workers with the same "
            "command, or give more seconds as --start_timeout"
        )
        raise TimeoutError(refused) from None
    finally:
        for connection in there.values():
            _say(connection, {"refused": refused})
            connection.close()
    return refused


def _report(cluster: Cluster, ours: dict, end: float) -> str:
    """Tells worker 0; returns why they cannot begin, as it answers."""
    host, port = cluster.addresses[0].rsplit(":", 1)
    address = host, int(port)
    while time.monotonic() < end:
        left = end - time.monotonic()
        try:
            with socket.create_connection(address, left) as connection:
                _say(connection, {"worker": cluster.worker, "wants": ours})
                # Once they are connected, worker 0 says when it is too late.
                left = end - time.monotonic()
                answer = _heard(connection, max(0.0, left) + _PATIENCE)
        except OSError:
            answer = None
        if answer is not None:
            return str(answer.get("refused", ""))
        time.sleep(min(0.2, max(0.0, left)))
    raise TimeoutError(
        f"{cluster.name(0)} did not answer in time; start all workers with the "
        "same command, or give more seconds as --start_timeout"
    )


def _difference(cluster: Cluster, ours: dict, told: dict) -> str:
    """Returns what another worker wants differently, in a sentence."""
    theirs = told.get("wants")
    if not isinstance(theirs, dict):
        theirs = {}
    names = [
        name
        for name in sorted({*ours, *theirs})
        if _of(ours, name) != _of(theirs, name)
    ]
    if not names:
        return ""
    differences = ", ".join(
        f"{name}={_of(theirs, name)} (worker 0 has {_of(ours, name)})"
        for name in names
    )
    return (
        f"{cluster.name(told['worker'])} was started otherwise: {differences}; "
        "start all workers with the same command and packages"
    )


def _of(wants: dict, name: str) -> Any:
    return wants.get(name, "nothing")


def _say(connection: socket.socket, message: dict) -> None:
    try:
        connection.settimeout(_PATIENCE)
        connection.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        pass  # it is gone, and TensorFlow will say so


def _hung_up(connection: socket.socket) -> bool:
    try:
        connection.setblocking(False)
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _heard(
    connection: socket.socket, patience: float = _PATIENCE
) -> dict[str, Any] | None:
    """Returns the line that another sends, None if it is none of ours."""
    end = time.monotonic() + patience
    line = b""
    try:
        while not line.endswith(b"\n"):
            connection.settimeout(max(0.01, end - time.monotonic()))
            piece = connection.recv(1 << 16)
            line += piece
            if not piece or len(line) > _MOST_BYTES:
                return None
        message = json.loads(line)
    except (OSError, ValueError):
        return None
    return message if isinstance(message, dict) else None
