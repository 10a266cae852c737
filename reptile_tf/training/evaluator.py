"""What is done from phi without moving it: adapting, and measuring how well."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.algorithms.inner_loop import InnerLoop, adapt, mini_batches
from reptile_tf.data.task import Tasks, num_examples, recipe_of
from reptile_tf.training import evaluation_modes, task_metric
from reptile_tf.training.distribution import Distribution
from reptile_tf.training.score import Score
from reptile_tf.training.settings import Settings
from reptile_tf.utils import interruptible, machine
from reptile_tf.utils.bars import Bar
from reptile_tf.utils.compiled import Compiled
from reptile_tf.utils.recent import Recent

# Tasks of one compiled call of an evaluation; progress is seen between calls.
_CHUNK = 50


class Evaluator:
    """Adapts to tasks with the settings of evaluation, and measures.

    Args:
        loop: what an inner step is made of.
        metric: measured on each task's query set.
        settings: the inner steps and mini-batches of evaluation.

    Attributes:
        loop: as it was given.
        answers: `[Q]`, the number of the largest output for each query of the
            last evaluation's task 0, in its last mode; empty where tasks do not
            say by `num_queries` of their recipe how many queries they have.
    """

    def __init__(
        self, loop: InnerLoop, metric: keras.metrics.Metric, settings: Settings
    ):
        self.answers = np.zeros(0, int)
        self.loop, self._metric, self._settings = loop, metric, settings
        self._compiled = Recent()
        # One for each rank of inputs and targets: TensorFlow would merge the
        # traces of two ranks into one of which it knows no shape.
        self._adapt: dict[tuple, Compiled] = {}

    def adapted_weights(
        self,
        loop: InnerLoop,
        phi: tf.Tensor,
        state: Any,
        steps: tf.Tensor,
        x: Any,
        y: Any,
        key: tf.Tensor,
    ) -> tf.Tensor:
        """Returns W~, adapted with the settings of evaluation.

        A pure function of tensors; the optimizer's last state is dropped.

        Args:
            loop: the loop that was given, with frozen weights as they are now.
            phi: the weight vector to start from.
            state: the inner optimizer's state to start from.
            steps: inner steps, an int32 scalar, at least 0.
            x: support inputs `[S, ...]`.
            y: support targets `[S, ...]`.
            key: int32 `[2]`, from which the mini-batches follow.
        """
        batches = mini_batches(
            key, num_examples(x), steps, self._settings.eval_inner_batch_size
        )
        return adapt(loop, phi, state, x, y, batches, key)[0]

    def adapt(
        self,
        state: Any,
        steps: int,
        x: Any,
        y: Any,
        key: tf.Tensor,
    ) -> keras.Model:
        """Returns a model adapted to a support set; see `MetaLearner.adapt`.

        Raises:
            FloatingPointError: the adapted weights are not finite.
        """
        model = self.loop.model
        ranks = tuple(t.shape.rank for t in tf.nest.flatten((x, y)))
        if ranks not in self._adapt:
            self._adapt[ranks] = Compiled(self._weights_and_statistics)
        weights, statistics = interruptible.call(
            *(self._adapt[ranks], model.phi(), state, tf.constant(steps)),
            *(x, y, key),
        )
        if not np.isfinite([np.sum(t) for t in (weights, *statistics)]).all():
            raise FloatingPointError(
                "adapt: the adapted weights or statistics are not finite; are "
                "x and y in the range that was learned with?"
            )
        return model.with_weights(weights, statistics)

    def _weights_and_statistics(self, phi, state, steps, x, y, key):
        loop = self.loop.now()
        weights = self.adapted_weights(loop, phi, state, steps, x, y, key)
        return weights, loop.model.statistics(weights, x)

    def evaluate(
        self,
        tasks: Tasks,
        num_tasks: int,
        modes: Sequence[str],
        state: Any,
        steps: int,
        told: keras.callbacks.CallbackList,
        verbose: int = 0,
        distribution: Distribution = Distribution(),
    ) -> list[Score]:
        """Adapts to tasks 0 to num_tasks - 1 and measures the metric on each.

        Args:
            tasks: the distribution to measure on.
            num_tasks: the number of tasks, at least 2.
            modes: names of evaluation modes.
            state: the inner optimizer's state that each task starts from.
            steps: inner steps, at least 0.
            told: callbacks, of which a batch is what one compiled call does.
            verbose: 1 shows a progress bar.
            distribution: the replicas that share the tasks.

        Returns:
            One `Score` for each mode, in their order.

        Raises:
            FloatingPointError: an adapted model's metric is not finite.
        """
        modes, metric = tuple(modes), self._metric.name
        measure = self.compiled(tasks, modes, distribution)
        names = [f"{mode}_{metric}" for mode in modes]
        chunks: list[np.ndarray] = []
        logs: dict[str, float] = {}
        told.on_test_begin()
        phi = self.loop.model.phi()
        with Bar(num_tasks, "task", verbose) as bar:
            for first in range(0, num_tasks, _CHUNK):
                stop = min(first + _CHUNK, num_tasks)
                told.on_test_batch_begin(first // _CHUNK)
                indices = tf.range(first, stop, dtype=tf.int64)
                found, answers = interruptible.call(
                    *(measure, phi, state, tf.constant(steps), indices),
                    recipe_of(tasks)[1],
                )
                chunks.append(found.numpy())
                if first == 0:
                    self.answers = answers[0].numpy().astype(int)
                means = np.concatenate(chunks).mean(0).tolist()
                logs = dict(zip(names, means, strict=True))
                # The last mode is the one that every model has.
                bar.show(stop, f"{modes[-1]} {metric} {means[-1]:.4g}")
                told.on_test_batch_end(first // _CHUNK, logs)
        told.on_test_end(logs)
        values = np.concatenate(chunks)
        if not np.isfinite(values).all():
            bad = int(np.argmin(np.isfinite(values).all(1)))
            raise FloatingPointError(
                f"evaluation task {bad}: {metric} is not finite"
            )
        return [
            Score.of(mode, metric, values[:, i]) for i, mode in enumerate(modes)
        ]

    def compiled(
        self,
        tasks: Tasks,
        modes: Sequence[str],
        distribution: Distribution = Distribution(),
    ) -> Compiled:
        """Returns (phi, state, steps, indices, ingredients) -> what is found.

        That is the metric, `[n, modes]`, and the answers, `[n, Q]`.
        """
        modes = tuple(modes)
        recipe, _ = recipe_of(tasks)
        varied = getattr(tasks, "varied", False)
        queries = getattr(recipe, "num_queries", 0)

        def one(loop, phi, state, steps, index, ingredients):
            task = recipe.sample(ingredients, index)
            x, y = task.support_x, task.support_y
            weights = self.adapted_weights(
                loop, phi, state, steps, x, y, task.key
            )
            values = []
            for mode in modes:
                outputs = evaluation_modes.MODES[mode](
                    loop.model, weights, x, task.query_x
                )
                outputs = task_metric.of_the_task(outputs, task, varied)
                values.append(
                    task_metric.measure(self._metric, task.query_y, outputs)
                )
            answers = tf.zeros([0])
            if queries:
                rows = tf.reshape(tf.nest.flatten(outputs)[0], [queries, -1])
                # Floats, as the values are: replicas gather all in one.
                answers = tf.cast(tf.argmax(rows, 1), tf.float32)
            return tf.stack(values), answers

        def measure(phi, state, steps, indices, ingredients):
            loop = self.loop.now()
            return distribution.spread(
                lambda share: tf.map_fn(
                    lambda index: one(
                        loop, phi, state, steps, index, ingredients
                    ),
                    share,
                    fn_output_signature=(
                        tf.TensorSpec([len(modes)]),
                        tf.TensorSpec([queries]),
                    ),
                    parallel_iterations=machine.operations_at_a_time(),
                ),
                indices,
            )

        return self._compiled.get(
            recipe, (modes, distribution), lambda: Compiled(measure)
        )
