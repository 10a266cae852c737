"""The meta-learner: Reptile around any Keras model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from reptile_tf import algorithms
from reptile_tf.algorithms import Algorithm, Reptile
from reptile_tf.algorithms.inner_loop import (
    InnerLoop,
    example_losses,
    initial_state,
)
from reptile_tf.algorithms.optimizers import Adam, InnerOptimizer
from reptile_tf.data.images import to_inputs
from reptile_tf.data.task import Tasks
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.training import epochs, task_checks, task_metric
from reptile_tf.training.evaluator import Evaluator
from reptile_tf.training.outer_loop import OuterLoop
from reptile_tf.training.progress import Progress
from reptile_tf.training.saving import Saveable
from reptile_tf.training.score import Score
from reptile_tf.training.settings import EVALUATION_MODES, Settings
from reptile_tf.utils import random
from reptile_tf.utils.frozen import Frozen
from reptile_tf.utils.validation import require_at_least, require_choice


class MetaLearner(Saveable, Frozen):
    """Learns an initialization phi from which a few steps learn a new task.

    The model's weights are phi. Training tasks never touch them: an inner loop
    works on tensors, and phi moves once an outer iteration.

    >>> import keras
    >>> import reptile_tf as rt
    >>> learner = rt.MetaLearner(
    ...     rt.models.sine_mlp(),
    ...     inner_optimizer=rt.SGD(0.02),
    ...     loss="mean_squared_error",
    ...     metric=keras.metrics.MeanSquaredError(name="error"),
    ...     inner_steps=2,
    ... )
    >>> history = learner.fit(rt.SineWaves(10), outer_iterations=3, verbose=0)
    >>> [score] = learner.evaluate(rt.SineWaves(10, seed=1), num_tasks=4)
    >>> score.mode, score.metric, score.num_tasks
    ('support', 'error', 4)

    Args:
        model: any built Keras model (functional, sequential or subclassed).
        inner_optimizer: `Adam` or `SGD` of `reptile_tf`, or anything with
            `init` and `update` as `reptile_tf.algorithms.optimizers` describes
            them; the paper uses Adam with beta_1 = 0.
        algorithm: how phi follows from training on a task: `Reptile`, `MAML`,
            `FOMAML`, `ANIL` or `GradientCombination` of `reptile_tf`, or an
            `Algorithm` of your own; or the name of one, such as "fomaml".
        meta_optimizer: any Keras optimizer, given the mean meta-gradient,
            Reptile's phi - mean(W~), as gradient; the paper's rule is
            `linear_decay(eps, outer_iterations)`. SGD with a step of 1, and no
            decay, if None. Its `global_clipnorm` clips the meta-gradient.
        loss: any Keras loss (name, function or object); sparse categorical
            cross-entropy of logits if None.
        metric: any Keras metric (name or object), computed for each task
            apart; must be given if the loss is another than sparse categorical
            cross-entropy, with which None means accuracy.
        **settings: numbers and choices, such as `inner_steps`; all of them are
            described in `reptile_tf.training.settings.Settings`.

    Attributes:
        model: the Keras model whose weights are phi.
        functional: the same as a pure function of a weight vector.
        evaluator: the `Evaluator` that adapts to tasks and measures.
        settings: the `Settings`. They, and all that was given as an argument,
            cannot be changed; make another learner of the same model instead.
        inner_state: the inner optimizer's state, carried through training.
        iteration: outer iterations made.

    Raises:
        ValueError: an argument is out of its range.
        TypeError: a setting is unknown.
    """

    _changeable = ("inner_state", "iteration")
    _instead = (
        "Make another MetaLearner, which may have the same model; evaluate "
        "and adapt take another number of inner steps as steps=..."
    )

    def __init__(
        self,
        model: keras.Model,
        *,
        inner_optimizer: InnerOptimizer = Adam(1e-3),
        algorithm: Algorithm | str = Reptile(),
        meta_optimizer: keras.optimizers.Optimizer | None = None,
        loss: Any = None,
        metric: Any = None,
        **settings: Any,
    ):
        if isinstance(algorithm, str):
            algorithm = algorithms.from_name(algorithm)
        task_checks.require_parts(algorithm, inner_optimizer)
        self.settings = Settings(**settings)
        algorithm.require(self.settings.inner_steps, inner_optimizer)
        algorithm.require_model(model)
        self.model = model
        self.inner_optimizer = inner_optimizer
        self.algorithm = algorithm
        self.meta_optimizer = meta_optimizer or keras.optimizers.SGD(1.0)
        self.meta_optimizer.build(model.trainable_variables)
        self.loss = loss or keras.losses.SparseCategoricalCrossentropy(
            from_logits=True
        )
        self.metric = task_metric.resolve(metric, self.loss)
        self.functional = FunctionalModel(model)
        self._loop = InnerLoop(
            self.functional,
            example_losses(self.loss),
            self.settings.loss_reduction,
            inner_optimizer,
            self.settings.inner_steps,
            self.settings.inner_batch_size,
            self.functional.head() if algorithm.head_only else None,
        )
        self._outer_loop = OuterLoop(
            self._loop,
            algorithm,
            self.meta_optimizer,
            self.metric,
            self.settings,
        )
        self.evaluator = Evaluator(self._loop, self.metric, self.settings)
        self.inner_state = initial_state(inner_optimizer, self.functional.phi())
        self.iteration = 0
        self._freeze(field.name for field in dataclasses.fields(Settings))

    def fit(
        self,
        tasks: Tasks,
        outer_iterations: int,
        *,
        iterations_per_epoch: int = 100,
        validation_tasks: Tasks | None = None,
        num_validation_tasks: int = 100,
        validation_prefix: str = "val",
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        verbose: int | str = "auto",
    ) -> keras.callbacks.History:
        """Meta-trains until `outer_iterations` have been made in all.

        This is Algorithm 2 (`reptile_tf.training.outer_loop`). A learner that
        was loaded goes on where it was saved: its next task and everything
        else are what they would have been.

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
            num_validation_tasks: how many of them, at least 2.
            validation_prefix: of their names in the logs; another than "val"
                where they are no validation tasks.
            callbacks: Keras callbacks; their `model` is the Keras model phi.
            verbose: 0 (silent), 1 or "auto" (a progress bar, and a line for
                each epoch), or 2 (the lines alone).

        Returns:
            Keras's `History` of the epochs.

        Raises:
            ValueError: an argument is out of its range, or tasks and model do
                not fit each other.
            FloatingPointError: a task's loss or weights are not finite; names
                the iteration and the task. phi is as it was before it.
        """
        require_at_least(
            1,
            outer_iterations=outer_iterations,
            iterations_per_epoch=iterations_per_epoch,
        )
        task_checks.require_fit(self.model, tasks)
        task_checks.require_examples(tasks, self.algorithm, self.settings)
        if validation_tasks is not None:
            require_at_least(2, num_validation_tasks=num_validation_tasks)
            task_checks.require_fit(self.model, validation_tasks)
            task_checks.require_queries(validation_tasks, "validation_tasks")

        progress = Progress(outer_iterations, bar=verbose in (1, "auto"))

        def iterate() -> dict[str, float]:
            self.inner_state, logs = self._outer_loop.iterate(
                tasks, self.iteration, self.inner_state
            )
            self.iteration += 1
            return logs

        def validate() -> dict[str, float]:
            if validation_tasks is None:
                return {}
            scores = self.evaluate(validation_tasks, num_validation_tasks)
            progress.validated(scores, validation_prefix)
            values = {f"{s.mode}_{s.metric}": s.value for s in scores}
            values |= {f"{s.mode}_ci95": s.ci95 for s in scores}
            return {f"{validation_prefix}_{n}": v for n, v in values.items()}

        return epochs.train(
            self.model,
            self.meta_optimizer,
            range(self.iteration, outer_iterations),
            iterations_per_epoch,
            iterate,
            validate,
            [*(callbacks or []), *([progress] if verbose else [])],
        )

    def evaluate(
        self,
        tasks: Tasks,
        num_tasks: int = 1000,
        *,
        modes: Sequence[str] | None = None,
        steps: int | None = None,
        verbose: int = 0,
    ) -> list[Score]:
        """Adapts to tasks 0 to num_tasks - 1 and measures the metric on each.

        Every task starts from phi and the current inner optimizer state, and
        leaves both as they are. Tasks run in parallel on the cores.

        Args:
            tasks: the distribution to measure on.
            num_tasks: the number of tasks, at least 2.
            modes: names of evaluation modes, see
                `reptile_tf.training.evaluation_modes`; if None all three, or
                only "support" for a model without batch normalization, for
                which they are the same.
            steps: inner steps, at least 0; the setting `eval_inner_steps` if
                None.
            verbose: 1 shows a progress bar.

        Returns:
            One `Score` for each mode, in the order of `modes`.

        Raises:
            ValueError: a mode is unknown, `num_tasks` is below 2 or `steps`
                below 0.
            FloatingPointError: an adapted model's metric is not finite.
        """
        if modes is None:
            every = EVALUATION_MODES
            modes = every if self.functional.has_batch_norm else ("support",)
        modes = tuple(modes)
        for mode in modes:
            require_choice(EVALUATION_MODES, mode=mode)
        require_at_least(2, num_tasks=num_tasks)  # an interval needs two
        steps = self._eval_steps(steps)
        task_checks.require_fit(self.model, tasks)
        task_checks.require_queries(tasks, "tasks")
        return self.evaluator.evaluate(
            tasks, num_tasks, modes, self.inner_state, steps, verbose
        )

    def adapt(
        self, x: Any, y: Any, *, steps: int | None = None, seed: int = 0
    ) -> keras.Model:
        """Learns a new task from a few examples.

        Starts from phi and the current inner optimizer state, and leaves both
        as they are.

        Args:
            x: the examples, `[S, ...]`, as the model takes them; uint8 images
                are divided by 255, as the data sets' are.
            y: their labels, integers `[S]` in 0..N-1, or targets
                `[S, outputs]`.
            steps: inner steps, at least 0; the setting `eval_inner_steps` if
                None.
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
        x = to_inputs(x)
        task_checks.require_inputs(self.model, x.shape[1:], "x")
        y = task_checks.targets(self.model, x, y, self.functional.dtype)
        return self.evaluator.adapt(
            self.inner_state,
            self._eval_steps(steps),
            x,
            y,
            random.fold_in(seed, 0),
        )

    def _eval_steps(self, steps: int | None) -> int:
        steps = self.settings.eval_inner_steps if steps is None else steps
        require_at_least(0, steps=steps)
        return steps
