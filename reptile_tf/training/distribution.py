"""Replicas that share the tasks of a meta-batch, or of an evaluation.

Each replica, a device of this process or of another one, adapts to a share of
the tasks. What it finds for each task, one row a task, is gathered by all of
them, and every process goes on with the rows as if it had made them itself: it
sums them in the order of the tasks, and moves its own phi. So nothing but the
time depends on how many replicas there are.
"""

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.algorithms.meta_batch import here
from reptile_tf.training.settings import Settings

# Collective operations have no kernels of these; values are kept exactly.
_WIDER = {
    tf.bool: tf.int32,
    tf.bfloat16: tf.float32,
    tf.float16: tf.float32,
}

# What TensorFlow raises where a worker is gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class Distribution:
    """A strategy of `tf.distribute`, or none, as the package uses it.

    Args:
        strategy: such as `tf.distribute.MirroredStrategy`, with a copy of each
            variable in each replica; None is this process alone.

    Attributes:
        replicas: how many there are.
        workers: how many processes they are of.
        worker: which of them this is; 0 is the chief, which alone writes files.

    Raises:
        ValueError: the strategy is of another kind.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None):
        self._strategy = strategy
        self.replicas = self.workers = 1
        self.worker = 0
        if strategy is None:
            return
        if not hasattr(strategy, "num_replicas_in_sync") or isinstance(
            strategy,
            tf.distribute.experimental.ParameterServerStrategy
            | tf.distribute.experimental.CentralStorageStrategy,
        ):
            raise ValueError(
                "strategy must be one of tf.distribute whose replicas are in "
                "step, such as tf.distribute.MirroredStrategy() or "
                "tf.distribute.MultiWorkerMirroredStrategy(); received "
                f"{strategy!r}"
            )
        self.replicas = strategy.num_replicas_in_sync
        resolver = strategy.cluster_resolver
        if resolver is not None:
            cluster = resolver.cluster_spec()
            self.workers = max(1, sum(map(cluster.num_tasks, cluster.jobs)))
            if self.workers > 1:
                self.worker = int(resolver.task_id)
                self._addresses = cluster.job_tasks("worker")
                self._gather = tf.function(self._of_all, autograph=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Distribution):
            return NotImplemented
        return other._strategy is self._strategy

    def __hash__(self) -> int:
        return hash(self._strategy)

    def require(self, settings: Settings) -> None:
        """Refuses meta-batches that replicas cannot share.

        Args:
            settings: of the learner.

        Raises:
            ValueError: says what to use instead.
        """
        if self._strategy is None:
            return
        if settings.meta_batch_mode != "parallel":
            raise ValueError(
                f"meta_batch_mode={settings.meta_batch_mode} hands the inner "
                "optimizer's state from task to task, which replicas cannot "
                "share; use meta_batch_mode=parallel, or no strategy"
            )
        if settings.meta_batch_size < self.replicas:
            raise ValueError(
                f"meta_batch_size={settings.meta_batch_size} leaves some of "
                f"{self.replicas} replicas without a task; use at least "
                f"{self.replicas}, or fewer replicas"
            )

    def spread(
        self, rows_of: Callable[[tf.Tensor], Any], indices: tf.Tensor
    ) -> Any:
        """Returns the rows of tasks, of which each replica makes a share.

        It is called where a function is traced.

        Args:
            rows_of: int64 `[m]`, tasks -> a structure of tensors `[m, ...]`.
            indices: int64 `[n]`, all the tasks; shares may be uneven.

        Returns:
            What `rows_of(indices)` would, to the last bit.
        """
        if self._strategy is None:
            return here(rows_of, indices)

        def share() -> Any:
            context = tf.distribute.get_replica_context()
            number, n = context.replica_id_in_sync_group, tf.size(indices)
            first, stop = (n * i // self.replicas for i in (number, number + 1))
            return _gathered(rows_of(indices[first:stop]), context)

        rows = self._one(share)
        for row in tf.nest.flatten(rows):
            row.set_shape([indices.shape[0], *row.shape[1:]])
        return rows

    def _one(self, function: Callable[[], Any]) -> Any:
        """Returns what a function gives, run in all replicas alike."""
        strategy: Any = self._strategy
        return tf.nest.map_structure(
            lambda values: strategy.experimental_local_results(values)[0],
            strategy.run(function),
        )

    def _of_all(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the values `[m]` of all workers, one after another."""

        def gathered() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_gather(tf.identity(values), 0)

        return self._one(gathered)

    def largest(self, number: int) -> int:
        """Returns the largest of the workers' numbers; all of them call it."""
        if self.workers == 1:
            return number
        with self.watched():
            return int(max(self._gather(tf.constant([int(number)])).numpy()))

    def from_chief(self, data: bytes = b"") -> bytes:
        """Returns the chief's bytes; all workers call it.

        Args:
            data: the bytes; of the chief alone.
        """
        if self.workers == 1:
            return data
        numbers = np.frombuffer(data if self.worker == 0 else b"", np.uint8)
        with self.watched():
            found = self._gather(tf.constant(numbers.astype(np.int32)))
        return found.numpy().astype(np.uint8).tobytes()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Says which worker is gone, where that is why its block failed.

        Raises:
            ConnectionError: names the worker.
        """
        try:
            yield
        except _LOST as error:
            if self.workers == 1:
                raise
            found = re.search(r"/task:(\d+)", str(error))
            lost = [int(found[1])] if found else self._silent()
            names = ", ".join(
                f"worker {i} ({self._addresses[i]})" for i in lost
            )
            raise ConnectionError(
                f"{names or 'another worker'} is gone; the same command on all "
                "workers resumes from the newest checkpoint"
            ) from error

    def _silent(self) -> list[int]:
        """Returns the workers that take no connections."""
        silent = []
        for index, address in enumerate(self._addresses):
            host, port = address.rsplit(":", 1)
            try:
                socket.create_connection((host, int(port)), 2).close()
            except OSError:
                silent.append(index)
        return silent


def _gathered(rows: Any, context: tf.distribute.ReplicaContext) -> Any:
    """Returns the rows of all replicas; one gathering for each dtype.

    Args:
        rows: a structure of tensors `[m, ...]`, of this replica.
        context: of the replica.
    """
    flat = tf.nest.flatten(rows)
    gathered = list(flat)
    dtypes = [_WIDER.get(t.dtype, t.dtype) for t in flat]
    for dtype in dict.fromkeys(dtypes):
        places = [i for i, found in enumerate(dtypes) if found == dtype]
        sizes = [int(np.prod(flat[i].shape[1:])) for i in places]
        # A whole number, as an empty share leaves a -1 undecided.
        parts = [
            tf.reshape(tf.cast(flat[i], dtype), [tf.shape(flat[i])[0], size])
            for i, size in zip(places, sizes, strict=True)
        ]
        table = context.all_gather(tf.concat(parts, 1), axis=0)
        columns = tf.split(table, sizes, axis=1)
        for i, column in zip(places, columns, strict=True):
            shape = [tf.shape(table)[0], *flat[i].shape[1:]]
            gathered[i] = tf.cast(tf.reshape(column, shape), flat[i].dtype)
    return tf.nest.pack_sequence_as(rows, gathered)
