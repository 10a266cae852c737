"""Replicas that share the tasks of a meta-batch, or of an evaluation.

Each replica, a device of this process or of another one, adapts to a share of
the tasks. What it finds for each task, one row a task, is gathered by all of
them, and every process goes on with the rows as if it had made them itself: it
sums them in the order of the tasks, and moves its own phi. So nothing but the
time depends on how many replicas there are.
"""

import contextlib
import hashlib
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.algorithms.meta_batch import here
from reptile_tf.training.settings import Settings
from reptile_tf.utils import interruptible

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
            if set(cluster.jobs) - {"worker"}:
                raise ValueError(
                    "strategy must be of workers alone, of which worker 0 is "
                    f"the chief; received jobs {sorted(cluster.jobs)}"
                )
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
        devices = self.replicas // self.workers

        def gathered() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # A process gives its values once, whatever devices it has.
            first = context.replica_id_in_sync_group % devices == 0
            own = tf.where(first, tf.size(values), 0)
            return context.all_gather(values[:own], 0)

        return self._one(gathered)

    def largest(self, number: int) -> int:
        """Returns the largest of the workers' numbers; all of them call it."""
        if self.workers == 1:
            return number
        with self.watched():
            return int(max(self._heard(np.array([number]))))

    def from_chief(self, data: bytes = b"") -> bytes:
        """Returns the chief's bytes; all workers call it.

        Args:
            data: the bytes; of the chief alone.
        """
        if self.workers == 1:
            return data
        numbers = np.frombuffer(data if self.worker == 0 else b"", np.uint8)
        with self.watched():
            return self._heard(numbers).astype(np.uint8).tobytes()

    def _heard(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the numbers of all workers; signals are minded meanwhile."""
        given = tf.constant(numbers.astype(np.int32))
        return interruptible.aside(lambda: self._gather(given).numpy())

    def require_same(self, state: Any, iteration: int) -> None:
        """Refuses to work with learners that differ among the workers.

        Args:
            state: a structure of tensors or variables, all that a learner is.
            iteration: the outer iterations made.

        Raises:
            ValueError: this learner is another than worker 0's.
        """
        if self.workers == 1:
            return
        digest = hashlib.sha256(str(iteration).encode())
        for part in tf.nest.flatten(state):
            digest.update(np.ascontiguousarray(part).tobytes())
        ours = digest.digest()
        if self.largest(self.from_chief(ours) != ours):
            raise ValueError(
                "the workers have different learners; make them with the same "
                "seed (keras.utils.set_random_seed), or load the same file"
            )

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
            named = map(int, re.findall(r"/task:(\d+)", str(error)))
            lost = next((i for i in named if i != self.worker), None)
            if lost is None:  # it may be an error of this worker's own
                lost = next(iter(self._silent()), None)
            if lost is None:
                raise
            raise ConnectionError(
                f"worker {lost} ({self._addresses[lost]}) is gone; what it "
                "said last tells why, and the same command on all workers "
                "resumes a training from its newest checkpoint"
            ) from error

    def _silent(self) -> list[int]:
        """Returns the workers that take no connections."""
        silent = []
        for index, address in enumerate(self._addresses):
            if index == self.worker:
                continue
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
