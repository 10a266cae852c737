"""The outer loop: Algorithms 1 and 2 of the paper."""

import functools
import math
import time

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.algorithms import meta_batch
from reptile_tf.algorithms.algorithm import Algorithm
from reptile_tf.algorithms.inner_loop import InnerLoop
from reptile_tf.data.task import Task, Tasks, recipe_of
from reptile_tf.training import task_metric
from reptile_tf.training.distribution import Distribution
from reptile_tf.training.learner_state import LearnerState
from reptile_tf.training.settings import Settings
from reptile_tf.utils import interruptible, machine
from reptile_tf.utils.compiled import Compiled, by_xla
from reptile_tf.utils.recent import Recent

# Seconds of an iteration for which an interrupt need not wait. A shorter one
# is not worth the thread, which takes a tenth of a millisecond.
_LONG = 0.5

# The most tasks of a meta-batch that take their steps in turn.
_MOST_IN_TURN = 10


class OuterLoop:
    """Algorithm 2; with a meta-batch of 1 it is Algorithm 1.

    for iteration = 0, 1, 2, ...
        for i = 1, ..., n                            `_meta_gradient`
            sample task tau_i
            W~_i = SGD(L_tau_i, phi, k)              `Algorithm.__call__`
        phi <- phi - (eps / n) sum_i (phi - W~_i)    `_outer_step`

    Other algorithms than Reptile put another vector for phi - W~_i.

    Args:
        loop: what an inner step is made of.
        algorithm: makes a meta-gradient of a task.
        meta_optimizer: moves phi, given the mean meta-gradient.
        metric: measured on the query sets of the training tasks.
        settings: n, and how a meta-batch is trained on.
        state: what moves with phi.
    """

    def __init__(
        self,
        loop: InnerLoop,
        algorithm: Algorithm,
        meta_optimizer: keras.optimizers.Optimizer,
        metric: keras.metrics.Metric,
        settings: Settings,
        state: LearnerState,
    ):
        self._loop, self._algorithm = loop, algorithm
        self._meta_optimizer, self._metric = meta_optimizer, metric
        self._settings, self._state = settings, state
        self._query_metric = f"query_{metric.name}"
        self._tasks = tf.constant(settings.meta_batch_size, tf.int64)
        self._seconds = 0.0  # that the last iteration took
        self._compiled = Recent()
        self._step = Compiled(self._outer_step)

    def iterate(
        self, tasks: Tasks, distribution: Distribution = Distribution()
    ) -> dict[str, float]:
        """Makes the next outer iteration, which moves phi once.

        Args:
            tasks: the distribution to learn from. Iteration i takes the tasks
                from i n on.
            distribution: the replicas that share them.

        Returns:
            The means over the tasks of `loss` and `query_<metric>`, and
            `tasks_per_second`. Where tasks that diverge are skipped, also
            `skipped_tasks`, how many they are; the means are of the others,
            and NaN if there are none.

        Raises:
            FloatingPointError: a task's loss, weights or state is not finite,
                and such tasks are not skipped. Nothing has moved.
        """
        start = time.perf_counter()
        n, iteration = self._settings.meta_batch_size, self._state.iteration
        first = iteration * n
        arguments = (
            self._state.first_task(self._tasks),
            self._state.inner,
            recipe_of(tasks)[1],
        )
        compiled = self.compiled(tasks, distribution)
        if self._seconds < _LONG and distribution.workers == 1:
            made = compiled(*arguments)
        else:
            made = interruptible.call(compiled, *arguments)
        meta_gradient, inner, report = made
        report = {name: values.numpy() for name, values in report.items()}
        finite = report.pop("finite")
        if self._settings.on_divergence == "stop":
            _require_finite(finite, report["loss"], iteration, first)
        self._step(meta_gradient, inner)
        self._seconds = seconds = time.perf_counter() - start
        logs = {
            name: values[finite].mean().item() if finite.any() else math.nan
            for name, values in report.items()
        }
        logs["tasks_per_second"] = n / seconds
        if self._settings.on_divergence == "skip":
            logs["skipped_tasks"] = int(n - finite.sum())
        return logs

    def compiled(
        self, tasks: Tasks, distribution: Distribution = Distribution()
    ) -> Compiled:
        """Returns `_meta_gradient` of the tasks' recipe, compiled."""
        recipe, _ = recipe_of(tasks)
        varied = getattr(tasks, "varied", False)

        def meta_gradient(first, state, ingredients):
            # Called several times, and traced once.
            sample = tf.function(
                lambda index: recipe.sample(ingredients, index),
                autograph=False,
            )
            return self._meta_gradient(
                sample, varied, first, state, distribution
            )

        return self._compiled.get(
            recipe, distribution, lambda: Compiled(meta_gradient)
        )

    def _meta_gradient(self, sample, varied, first, state, distribution):
        """Returns the mean meta-gradient of n tasks, the state, and a report.

        Args:
            sample: index -> the task.
            varied: whether the tasks vary in their number of classes.
            first: number of the first task, an int64 scalar.
            state: the inner optimizer's state before them.
            distribution: the replicas that share them.
        """
        loop, settings = self._loop.now(), self._settings
        phi = loop.model.phi()
        report = {
            "loss": tf.TensorSpec([], phi.dtype),
            "finite": tf.TensorSpec([], tf.bool),
        }
        like = sample(first)
        has_query = tf.nest.flatten(like.query_x)[0].shape[0] != 0
        if has_query:
            report[self._query_metric] = tf.TensorSpec([])
        row = functools.partial(self._row, loop.model, varied, has_query)

        def train_on_task(task, state):
            return row(task, self._algorithm(loop, phi, state, task))

        def train_in_turn(indices, state):
            tasks = [sample(index) for index in indices]
            lessons = self._algorithm.lessons(loop, phi, state, tasks)
            return list(map(row, tasks, lessons))

        # Tasks may come from what XLA does not know, such as files.
        train_on_task = by_xla(train_on_task, settings.jit_compile)
        return meta_batch.train_on_tasks(
            lambda index, state: train_on_task(sample(index), state),
            state,
            first + tf.range(settings.meta_batch_size, dtype=tf.int64),
            (phi, state, report),
            settings.meta_batch_mode,
            settings.on_divergence == "skip",
            distribution.spread,
            train_in_turn if self._in_turn(like, distribution) else None,
        )

    def _row(self, model, varied, has_query, task, lesson) -> meta_batch.Given:
        """Returns the meta-gradient, the state and the report of a task."""
        floats = [
            s for s in tf.nest.flatten(lesson.state) if s.dtype.is_floating
        ]
        parts = lesson.loss, lesson.meta_gradient, *floats
        finite = [tf.math.is_finite(tf.reduce_sum(t)) for t in parts]
        report = {"loss": lesson.loss, "finite": tf.reduce_all(finite)}
        if has_query:
            outputs = model.by_batch(lesson.weights, task.query_x)
            outputs = task_metric.of_the_task(outputs, task, varied)
            report[self._query_metric] = task_metric.measure(
                self._metric, task.query_y, outputs
            )
        return lesson.meta_gradient, lesson.state, report

    def _in_turn(self, task: Task, distribution: Distribution) -> bool:
        """Says whether tasks side by side are to take their steps in turn.

        They are where some cores would get a task more than others, and so be
        busy while these are idle. Each task makes the graph, and what is handed
        round in it, larger; and of many tasks one more matters less.

        Args:
            task: one of them.
            distribution: the replicas that share them.
        """
        n = self._settings.meta_batch_size
        cores = machine.operations_at_a_time()
        support = tf.nest.flatten((task.support_x, task.support_y))
        return (
            cores < n <= _MOST_IN_TURN
            and n % cores > 0
            and self._algorithm.takes_turns
            and not self._settings.jit_compile
            and distribution == Distribution()
            and not tf.executing_eagerly()
            and all(t.shape.is_fully_defined() for t in support)
        )

    def _outer_step(self, meta_gradient, inner):
        """Moves phi, by the meta-optimizer, and all that moves with it."""
        model = self._loop.model
        self._meta_optimizer.apply(
            model.unflatten(meta_gradient), model.model.trainable_variables
        )
        self._state.move(inner)


def _require_finite(finite, loss, iteration: int, first: int) -> None:
    if not finite.all():
        bad = int(np.argmin(finite))
        raise FloatingPointError(
            f"outer iteration {iteration}, task {first + bad}: the inner "
            f"loop's loss ({loss[bad]}), weights or optimizer state are not "
            "finite; use a smaller inner learning rate, the usual remedy, or "
            "on_divergence=skip, which leaves such tasks out"
        )
