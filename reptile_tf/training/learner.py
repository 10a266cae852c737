"""The meta-learner: Algorithms 1 and 2 of the paper around any Keras model."""

import os
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.algorithms import meta_batch, meta_gradients
from reptile_tf.algorithms.inner_loop import (
    REDUCTIONS,
    InnerLoop,
    adapt,
    example_losses,
)
from reptile_tf.algorithms.meta_gradients import MetaGradient, Reptile
from reptile_tf.algorithms.optimizers import Adam, InnerOptimizer
from reptile_tf.data import task as tasks_lib
from reptile_tf.data.episodes import to_float
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.serving import export
from reptile_tf.training import epochs
from reptile_tf.training import evaluation_modes as evaluation
from reptile_tf.training import saving as persistence
from reptile_tf.training import task_checks as checks

# Tasks of one compiled call of an evaluation; progress is seen between calls.
_CHUNK = 50


class MetaLearner:
    """Learns an initialization phi from which a few steps learn a new task.

    The model's weights are phi. Training tasks never touch them: an inner loop
    works on tensors, and phi moves once an outer iteration.

    Args:
        model: any built Keras model (functional, sequential or subclassed).
        inner_optimizer: `Adam` or `SGD` of `reptile_tf`; the paper uses Adam
            with beta_1 = 0.
        inner_steps: k, steps of a training task, at least 1.
        inner_batch_size: examples of an inner step, at least 1.
        meta_gradient: how phi follows from training on a task: `Reptile`,
            `MAML`, `FOMAML`, `ANIL` or `GradientCombination` of
            `reptile_tf.meta_gradients`, or its name there.
        meta_batch_size: n, tasks of an outer iteration; 1 makes Algorithm 1.
        meta_batch_mode: "serial" (the paper's) or "parallel"; see
            `reptile_tf.meta_batch` for how they differ.
        meta_optimizer: any Keras optimizer, given the mean meta-gradient,
            Reptile's phi - mean(W~), as gradient; the paper's rule is
            `linear_decay(eps, outer_iterations)`. SGD with a step of 1, and no
            decay, if None. Its `global_clipnorm` clips the meta-gradient.
        loss: any Keras loss (name, function or object); for logits if None.
        metric: any Keras metric (name or object), computed for each task
            apart; must be given if the loss is another than sparse categorical
            cross-entropy, with which None means accuracy.
        loss_reduction: "sum" (the paper's) or "mean" of the examples' losses.
        eval_inner_steps: steps of `evaluate` and `adapt`; `inner_steps` if
            None.
        eval_inner_batch_size: examples of such a step; `inner_batch_size` if
            None. May exceed the support set; a batch then holds examples more
            than once, as in the paper's Table 5.

    Attributes:
        model: the Keras model whose weights are phi.
        functional: the same as a pure function of a weight vector.
        inner_state: the inner optimizer's state, carried through training.
        iteration: outer iterations made.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        inner_optimizer: InnerOptimizer = Adam(1e-3),
        inner_steps: int = 5,
        inner_batch_size: int = 10,
        meta_gradient: MetaGradient | str = Reptile(),
        meta_batch_size: int = 5,
        meta_batch_mode: str = "serial",
        meta_optimizer: keras.optimizers.Optimizer | None = None,
        loss=None,
        metric=None,
        loss_reduction: str = "sum",
        eval_inner_steps: int | None = None,
        eval_inner_batch_size: int | None = None,
    ):
        if isinstance(meta_gradient, str):
            meta_gradient = meta_gradients.parse(meta_gradient)
        if not isinstance(inner_optimizer, InnerOptimizer):
            raise ValueError(
                "inner_optimizer must be a reptile_tf.Adam or reptile_tf.SGD; "
                f"received {inner_optimizer!r}"
            )
        self.model = model
        self.inner_optimizer = inner_optimizer
        self.inner_steps = inner_steps
        self.inner_batch_size = inner_batch_size
        self.meta_gradient = meta_gradient
        self.meta_batch_size = meta_batch_size
        self.meta_batch_mode = meta_batch_mode
        self.meta_optimizer = meta_optimizer or keras.optimizers.SGD(1.0)
        self.loss = loss or keras.losses.SparseCategoricalCrossentropy(
            from_logits=True
        )
        self.metric = _metric(metric, self.loss)
        self.loss_reduction = loss_reduction
        self.eval_inner_steps = (
            inner_steps if eval_inner_steps is None else eval_inner_steps
        )
        self.eval_inner_batch_size = (
            inner_batch_size
            if eval_inner_batch_size is None
            else eval_inner_batch_size
        )
        checks.require_at_least(
            1,
            inner_steps=inner_steps,
            inner_batch_size=inner_batch_size,
            meta_batch_size=meta_batch_size,
            eval_inner_steps=self.eval_inner_steps,
            eval_inner_batch_size=self.eval_inner_batch_size,
        )
        checks.require_choice(meta_batch.MODES, meta_batch_mode=meta_batch_mode)
        checks.require_choice(REDUCTIONS, loss_reduction=loss_reduction)
        meta_gradient.require(inner_steps, inner_optimizer)
        meta_gradient.require_model(model)
        self.functional = FunctionalModel(model)
        self._loop = InnerLoop(
            self.functional,
            example_losses(self.loss),
            loss_reduction,
            inner_optimizer,
            self.functional.head() if meta_gradient.head_only else None,
        )
        self.meta_optimizer.build(model.trainable_variables)
        self.inner_state = inner_optimizer.init(self.functional.phi())
        self.iteration = 0
        self._compiled = {}

    # Algorithm 2; with n = 1 it is Algorithm 1.

    def fit(
        self,
        tasks: tasks_lib.Tasks,
        outer_iterations: int,
        *,
        iterations_per_epoch: int = 100,
        validation_tasks: tasks_lib.Tasks | None = None,
        validation_count: int = 100,
        callbacks=None,
        verbose: int | str = "auto",
    ) -> keras.callbacks.History:
        """Meta-trains until `outer_iterations` have been made in all.

        A learner that was loaded goes on where it was saved: its next task
        and everything else are what they would have been.

        To callbacks an outer iteration is a batch, and `iterations_per_epoch`
        of them are an epoch. Their logs hold `loss` (mean over inner steps and
        examples), `query_<metric>` (of W~ on the training tasks' query sets,
        transductive; only where they have one) and `tasks_per_second`; at the
        end of an epoch also `val_<mode>_<metric>` and its 95% interval
        `val_<mode>_ci95`.

        Args:
            tasks: the distribution to learn from; outer iteration i takes the
                tasks i n to i n + n - 1.
            outer_iterations: iterations in all, those before a load included.
            iterations_per_epoch: outer iterations of an epoch, at least 1.
            validation_tasks: evaluated at the end of each epoch, if given.
            validation_count: how many of them, at least 2.
            callbacks: Keras callbacks; their `model` is the Keras model phi.
            verbose: 0 (silent), 1 (progress bar), 2 (a line an epoch) or
                "auto", which is 1.

        Returns:
            Keras's `History` of the epochs.

        Raises:
            ValueError: an argument is out of its range, or tasks and model do
                not fit each other.
            FloatingPointError: a task's loss or weights are not finite; names
                the iteration and the task. phi is as it was before it.
        """
        checks.require_at_least(
            1,
            outer_iterations=outer_iterations,
            iterations_per_epoch=iterations_per_epoch,
        )
        checks.require_fit(self.model, tasks)
        checks.require_examples(
            tasks, self.meta_gradient, self.inner_steps, self.inner_batch_size
        )
        if validation_tasks is not None:
            checks.require_at_least(2, validation_count=validation_count)
            checks.require_fit(self.model, validation_tasks)
            checks.require_queries(validation_tasks, "validation_tasks")

        def validate():
            if validation_tasks is None:
                return {}
            scores = self.evaluate(validation_tasks, validation_count)
            values = {f"val_{s.mode}_{s.metric}": s.value for s in scores}
            return values | {f"val_{s.mode}_ci95": s.ci95 for s in scores}

        return epochs.run(
            self.model,
            self.meta_optimizer,
            range(self.iteration, outer_iterations),
            iterations_per_epoch,
            lambda: self._outer_iteration(tasks),
            validate,
            callbacks,
            verbose,
        )

    def _outer_iteration(self, tasks) -> dict[str, float]:
        """Phi <- phi - (eps / n) sum_i (phi - W~_i), by the meta-optimizer."""
        start = time.perf_counter()
        n = self.meta_batch_size
        first = self.iteration * n
        meta_gradient, state, report = self._meta_gradient(tasks)(
            tf.constant(first, tf.int64), self.inner_state
        )
        report = {name: values.numpy() for name, values in report.items()}
        loss, finite = report["loss"], report.pop("finite")
        if not finite.all():
            bad = int(np.argmin(finite))
            raise FloatingPointError(
                f"outer iteration {self.iteration}, task {first + bad}: the "
                f"inner loop's loss ({loss[bad]}), weights or optimizer state "
                "are not finite; a smaller inner learning rate is the usual "
                "remedy"
            )
        self._outer_step(meta_gradient)
        self.inner_state = state
        self.iteration += 1
        seconds = time.perf_counter() - start
        means = {name: values.mean().item() for name, values in report.items()}
        return means | {"tasks_per_second": n / seconds}

    def _meta_gradient(self, tasks):
        """Returns the compiled (first, state) -> mean(phi - W~), state, ..."""
        query_metric = f"query_{self.metric.name}"

        def meta_gradient(first, state):
            phi = self.functional.phi()
            report = {
                "loss": tf.TensorSpec([], phi.dtype),
                "finite": tf.TensorSpec([], tf.bool),
            }
            if tasks.sample(first).query_x.shape[0]:
                report[query_metric] = tf.TensorSpec([])

            def train_on_task(index, state):
                task = tasks.sample(index)
                lesson = self.meta_gradient(
                    self._loop,
                    phi,
                    state,
                    task,
                    self.inner_steps,
                    self.inner_batch_size,
                )
                moments = [s for s in lesson.state if s.dtype.is_floating]
                parts = lesson.loss, lesson.meta_gradient, *moments
                sums = [tf.reduce_sum(t) for t in parts]
                values = {
                    "loss": lesson.loss,
                    "finite": tf.math.is_finite(tf.add_n(sums)),
                }
                if query_metric in report:
                    outputs = self.functional.by_batch(
                        lesson.weights, task.query_x
                    )
                    values[query_metric] = self._measure(task.query_y, outputs)
                return lesson.meta_gradient, lesson.state, values

            return meta_batch.run(
                train_on_task,
                state,
                first + tf.range(self.meta_batch_size, dtype=tf.int64),
                (phi, state, report),
                self.meta_batch_mode,
            )

        return self._compile(("fit", id(tasks)), meta_gradient)

    def _outer_step(self, meta_gradient):
        """Gives it to the meta-optimizer: the one write of phi."""

        def step(vector):
            gradients = self.functional.unflatten(vector)
            self.meta_optimizer.apply(gradients, self.model.trainable_variables)

        self._compile("step", step)(meta_gradient)

    # Evaluation and use: from phi and the state as they are; both stay so.

    def evaluate(
        self,
        tasks: tasks_lib.Tasks,
        count: int = 1000,
        *,
        modes=None,
        steps: int | None = None,
        verbose: int = 0,
    ) -> list[evaluation.Score]:
        """Adapts to tasks 0 to count - 1 and measures the metric on each.

        Every task starts from phi and the current inner optimizer state, and
        leaves both as they are. Tasks run in parallel on the cores.

        Args:
            tasks: the distribution to measure on.
            count: number of tasks, at least 2.
            modes: names of evaluation modes, see `reptile_tf.evaluation`; if
                None all three, or only "support" for a model without batch
                normalization, for which they are the same.
            steps: inner steps, at least 0; `eval_inner_steps` if None.
            verbose: 1 shows a progress bar.

        Returns:
            One `Score` a mode, in the order of `modes`.

        Raises:
            ValueError: a mode is unknown, `count` is below 2 or `steps`
                below 0.
            FloatingPointError: an adapted learner's metric is not finite.
        """
        if modes is None:
            every = tuple(evaluation.MODES)
            modes = every if self.functional.has_batch_norm else ("support",)
        modes = tuple(modes)
        for mode in modes:
            checks.require_choice(evaluation.MODES, mode=mode)
        checks.require_at_least(2, count=count)  # an interval needs two
        steps = self._steps(steps)
        checks.require_fit(self.model, tasks)
        checks.require_queries(tasks, "tasks")
        measure = self._evaluate(tasks, modes)
        phi, state = self.functional.phi(), self.inner_state
        names = [f"{mode}_{self.metric.name}" for mode in modes]
        bar = keras.utils.Progbar(
            count, verbose=verbose, stateful_metrics=names, unit_name="task"
        )
        values = []
        for first in range(0, count, _CHUNK):
            indices = tf.range(
                first, min(first + _CHUNK, count), dtype=tf.int64
            )
            values.append(measure(phi, state, steps, indices).numpy())
            means = np.concatenate(values).mean(0)
            bar.update(
                int(indices[-1]) + 1, list(zip(names, means, strict=True))
            )
        values = np.concatenate(values)
        if not np.isfinite(values).all():
            bad = int(np.argmin(np.isfinite(values).all(1)))
            raise FloatingPointError(
                f"evaluation task {bad}: {self.metric.name} is not finite"
            )
        return [
            evaluation.Score.of(mode, self.metric.name, values[:, i])
            for i, mode in enumerate(modes)
        ]

    def _evaluate(self, tasks, modes):
        """Returns the compiled function whose values are `[n, modes]`."""

        def one(phi, state, steps, index):
            task = tasks.sample(index)
            weights = self.adapted_weights(
                phi, state, steps, task.support_x, task.support_y, task.key
            )
            values = []
            for mode in modes:
                outputs = evaluation.MODES[mode](
                    self.functional, weights, task.support_x, task.query_x
                )
                values.append(self._measure(task.query_y, outputs))
            return tf.stack(values)

        def measure(phi, state, steps, indices):
            return tf.map_fn(
                lambda index: one(phi, state, steps, index),
                indices,
                fn_output_signature=tf.TensorSpec([len(modes)]),
                parallel_iterations=os.cpu_count(),
            )

        return self._compile(("evaluate", id(tasks), modes), measure)

    def adapt(
        self, x, y, *, steps: int | None = None, seed: int = 0
    ) -> keras.Model:
        """Learns a new task from a few examples.

        Starts from phi and the current inner optimizer state, and leaves both
        as they are.

        Args:
            x: the examples, `[S, ...]`, as the model takes them; uint8 images
                are divided by 255, as the data sets' are.
            y: their labels, integers `[S]` in 0..N-1, or targets
                `[S, outputs]`.
            steps: inner steps, at least 0; `eval_inner_steps` if None.
            seed: of the mini-batches, any whole number from 0.

        Returns:
            A clone of the model with the adapted weights. Where the model has
            batch normalization, the clone's moving statistics are those of the
            examples, so that it is right in inference mode (`predict`), also
            for one query at a time. It returns what the model returns: logits,
            for the networks of `reptile_tf.models`.

        Raises:
            ValueError: there are no examples, x and y differ in length, a
                label is outside 0..N-1, the inputs' shape is wrong, or `steps`
                is below 0.
            FloatingPointError: the adapted weights are not finite.
        """
        x = to_float(x)
        checks.require_inputs(self.model, x.shape[1:], "x")
        y = checks.targets(self.model, x, y, self.functional.dtype)

        def run(phi, state, steps, x, y, key):
            weights = self.adapted_weights(phi, state, steps, x, y, key)
            return weights, self.functional.statistics(weights, x)

        weights, statistics = self._compile("adapt", run)(
            self.functional.phi(),
            self.inner_state,
            self._steps(steps),
            x,
            y,
            tasks_lib.fold_in(seed, 0),
        )
        if not np.isfinite([np.sum(t) for t in (weights, *statistics)]).all():
            raise FloatingPointError(
                "adapt: the adapted weights or statistics are not finite; are "
                "x and y in the range that was learned with?"
            )
        return self.functional.with_weights(weights, statistics)

    def adapted_weights(self, phi, state, steps, x, y, key) -> tf.Tensor:
        """Returns W~, adapted with the settings of evaluation.

        A pure function of tensors; the optimizer's last state is dropped.

        Args:
            phi: the weight vector to start from.
            state: the inner optimizer's state to start from.
            steps: inner steps, an int32 scalar, at least 0.
            x: support inputs `[S, ...]`.
            y: support targets `[S, ...]`.
            key: int32 `[2]`, from which the mini-batches follow.
        """
        batches = tasks_lib.mini_batches(
            key, tf.shape(x)[0], steps, self.eval_inner_batch_size
        )
        return adapt(self._loop, phi, state, x, y, batches, key)[0]

    def export(
        self,
        folder,
        *,
        uint8_images: bool = False,
        max_steps: int = 1000,
        max_examples: int = 1000,
    ) -> pathlib.Path:
        """Writes a SavedModel that adapts inside the server.

        It goes into `folder`/VERSION, the layout of TF Serving, under a number
        one above the highest there is, whole or not at all. The signatures
        are described in `reptile_tf.serving.export`.

        Args:
            folder: of the model's versions; its name is the model's name.
            uint8_images: whether to add signatures that take raw uint8 images,
                which are divided by 255, as the data sets' are.
            max_steps: most inner steps that a request may ask for.
            max_examples: most support, and most query, examples of a request.

        Returns:
            The folder of the new version.

        Raises:
            ValueError: the model is subclassed, and so does not say what
                inputs it takes; or a limit is below 1.
        """
        return export.export(
            self,
            folder,
            uint8_images=uint8_images,
            max_steps=max_steps,
            max_examples=max_examples,
        )

    def save(self, path) -> None:
        """Writes the learner to one file, whole or not at all.

        Args:
            path: of the file; by convention it ends in `.zip`.

        Raises:
            ValueError: the loss or the metric is a lambda.
        """
        persistence.save(self, path)

    @classmethod
    def load(cls, path, custom_objects=None) -> "MetaLearner":
        """Returns the learner that `save` wrote.

        Args:
            path: of the file.
            custom_objects: as of `keras.saving.load_model`.

        Raises:
            reptile_tf.persistence.DamagedFileError: it is not whole.
        """
        return persistence.load(cls, path, custom_objects)

    # What the parts above share.

    def _measure(self, y, outputs):
        """Returns the metric over one task's queries, a float32 scalar.

        NaN if an output is not finite; an accuracy would not tell.
        """
        state = self.metric.stateless_reset_state()
        state = self.metric.stateless_update_state(state, y, outputs)
        value = tf.cast(self.metric.stateless_result(state), tf.float32)
        finite = tf.reduce_all(tf.math.is_finite(outputs))
        return tf.where(finite, value, float("nan"))

    def _compile(self, key, function):
        """Returns the `tf.function` of `key`, made from `function` once.

        A key may hold the `id` of what the function refers to, and so keeps.
        """
        if key not in self._compiled:
            self._compiled[key] = tf.function(
                function, autograph=False, reduce_retracing=True
            )
        return self._compiled[key]

    def _steps(self, steps: int | None):
        """Returns the number of inner steps of an evaluation as a tensor."""
        steps = self.eval_inner_steps if steps is None else steps
        checks.require_at_least(0, steps=steps)
        return tf.constant(steps)


def _metric(metric, loss) -> keras.metrics.Metric:
    """Returns the metric; accuracy, for None, where the loss takes labels."""
    if metric not in (None, "accuracy", "acc"):
        return keras.metrics.get(metric)
    function = keras.losses.sparse_categorical_crossentropy
    of_labels = keras.losses.SparseCategoricalCrossentropy
    known = keras.losses.get(loss)
    if not isinstance(known, of_labels) and known is not function:
        raise ValueError(
            f"metric={metric!r} is not known for loss={loss!r}; give a metric, "
            "such as keras.metrics.MeanSquaredError()"
        )
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
