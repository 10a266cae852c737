"""The meta-learner: Reptile around any Keras model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from reptile_tf import algorithms
from reptile_tf.algorithms import Algorithm, Reptile
from reptile_tf.algorithms.inner_loop import InnerLoop, initial_state
from reptile_tf.algorithms.losses import example_losses
from reptile_tf.algorithms.optimizers import Adam, InnerOptimizer
from reptile_tf.data.task import Tasks
from reptile_tf.models.class_names import with_class_names
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.training import (
    epochs,
    evaluation_modes,
    outputs,
    support_set,
    task_checks,
    task_metric,
)
from reptile_tf.training.distribution import Distribution
from reptile_tf.training.evaluator import Evaluator
from reptile_tf.training.explained_errors import explained
from reptile_tf.training.learner_state import LearnerState, Stateful
from reptile_tf.training.outer_loop import OuterLoop
from reptile_tf.training.progress import Progress
from reptile_tf.training.saveable import Saveable
from reptile_tf.training.score import Score, as_logs
from reptile_tf.training.settings import Settings
from reptile_tf.utils import machine, random
from reptile_tf.utils.frozen import Frozen
from reptile_tf.utils.validation import require_at_least


class MetaLearner(Saveable, Stateful, Frozen):
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
        loss: any Keras loss (name, function or object), or a structure of them
            like the model's outputs; sparse categorical cross-entropy if None,
            of what the model ends in, logits or a softmax.
        metric: any Keras metric (name or object), computed for each task
            apart; None means accuracy, of a loss that it can be told for.
            With several outputs, a structure with a metric for one of them.
        **settings: numbers and choices, such as `inner_steps`; all of them are
            described in `reptile_tf.training.settings.Settings`.

    Attributes:
        model: the Keras model whose weights are phi.
        functional: the same as a pure function of a weight vector.
        evaluator: the `Evaluator` that adapts to tasks and measures.
        settings: the `Settings`. They, and all that was given as an argument,
            cannot be changed; make another learner of the same model instead.

    Raises:
        ValueError: an argument is out of its range.
        TypeError: a setting is unknown.
    """

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
        task_checks.require_parts(algorithm, inner_optimizer, meta_optimizer)
        self.settings = Settings(**settings)
        algorithm.require(self.settings.inner_steps, inner_optimizer)
        self.functional = FunctionalModel(
            model, algorithm.head_only, algorithm.second_order
        )
        algorithm.require_model(model)
        self.model = model
        self.inner_optimizer, self.algorithm = inner_optimizer, algorithm
        self.meta_optimizer = meta_optimizer or keras.optimizers.SGD(1.0)
        self.meta_optimizer.build(model.trainable_variables)
        self.loss = outputs.loss_for(model, loss)
        outputs.require_reduction(self.loss, self.settings.loss_reduction)
        self.metric = task_metric.resolve(metric, self.loss, model)
        self._loop = InnerLoop(
            self.functional,
            example_losses(self.loss),
            self.settings.loss_reduction,
            inner_optimizer,
            self.settings.inner_steps,
            self.settings.inner_batch_size,
        )
        self._state = LearnerState(
            initial_state(inner_optimizer, self.functional.phi())
        )
        parts = self.meta_optimizer, self.metric, self.settings, self._state
        self._outer_loop = OuterLoop(self._loop, algorithm, *parts)
        self.evaluator = Evaluator(self._loop, self.metric, self.settings)
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
        strategy: tf.distribute.Strategy | None = None,
    ) -> keras.callbacks.History:
        """Meta-trains until `outer_iterations` have been made in all.

        This is Algorithm 2 (`reptile_tf.training.outer_loop`). A learner that
        was loaded goes on exactly where it was saved.

        To callbacks an outer iteration is a batch, and `iterations_per_epoch`
        of them are an epoch. Their logs hold `loss` (mean over inner steps and
        examples), `query_<metric>` (of W~ on the training tasks' query sets,
        transductive; only where they have one) and `tasks_per_second`; at the
        end of an epoch also `val_<mode>_<metric>` and its 95% interval
        `val_<mode>_ci95`. The logs of an epoch that an earlier call, or a
        process before this one, began are those of all its iterations.

        Args:
            tasks: the distribution to learn from; outer iteration i takes the
                tasks i n to i n + n - 1.
            outer_iterations: iterations in all, those before a load included.
            iterations_per_epoch: outer iterations of an epoch, at least 1.
            validation_tasks: evaluated at the end of each epoch, if given.
            num_validation_tasks: how many of them, at least 2.
            validation_prefix: of their names in the logs.
            callbacks: Keras callbacks; their `model` is the Keras model phi.
            verbose: 2 for a line an epoch, 1 or "auto" for a bar, too, or 0.
            strategy: of `tf.distribute`, whose replicas share the tasks of
                each meta-batch and of the validation; see
                `reptile_tf.training.distribution`. `meta_batch_mode` must be
                "parallel", and no meta-batch smaller than they are many.

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
        distribution = Distribution(strategy)
        distribution.require(self.settings)
        task_checks.require_trainable(self, tasks)
        if validation_tasks is not None:
            task_checks.require_measurable(
                self, validation_tasks, num_validation_tasks, "validation_"
            )
        distribution.require_same(self._variables(), self.iteration)
        machine.advise()
        progress = Progress(bar=verbose in (1, "auto"))

        def iterate() -> dict[str, float]:
            n = self.settings.meta_batch_size
            first = self.iteration * n
            which = range(first, first + n)
            with explained(self, tasks, which), distribution.watched():
                return self._outer_loop.iterate(tasks, distribution)

        def validate(told: keras.callbacks.CallbackList) -> dict[str, float]:
            if validation_tasks is None:
                return {}
            scores = self.evaluate(
                *(validation_tasks, num_validation_tasks),
                callbacks=told,
                strategy=strategy,
            )
            progress.validated(scores, validation_prefix)
            return as_logs(scores, validation_prefix)

        with progress:
            return epochs.train(
                self.model,
                self.meta_optimizer,
                range(self.iteration, outer_iterations),
                iterations_per_epoch,
                *(iterate, self.epoch_logs, validate),
                [callbacks or [], progress if verbose else []],
                distribution,
            )

    def evaluate(
        self,
        tasks: Tasks,
        num_tasks: int = 1000,
        *,
        modes: Sequence[str] | None = None,
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        verbose: int = 0,
        strategy: tf.distribute.Strategy | None = None,
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
            callbacks: Keras callbacks, for which some 50 tasks are a batch.
            verbose: 1 shows a progress bar.
            strategy: of `tf.distribute`, whose replicas share the tasks.

        Returns:
            One `Score` for each mode, in the order of `modes`.

        Raises:
            ValueError: an argument is out of its range, or tasks and model do
                not fit each other.
            FloatingPointError: an adapted model's metric is not finite.
        """
        modes = evaluation_modes.chosen(modes, self.functional)
        steps = self.settings.evaluation_steps(steps)
        task_checks.require_measurable(self, tasks, num_tasks)
        told = epochs.callback_list(callbacks, self.model)
        distribution = Distribution(strategy)
        distribution.require_same(self._variables(), self.iteration)
        machine.advise()
        with explained(self, tasks, range(num_tasks)), distribution.watched():
            return self.evaluator.evaluate(
                *(tasks, num_tasks, modes, self.inner_state, steps),
                *(told, verbose, distribution),
            )

    def adapt(
        self, x: Any, y: Any, *, steps: int | None = None, seed: int = 0
    ) -> keras.Model:
        """Learns a new task from a few examples.

        Starts from phi and the inner optimizer's state, and leaves them alone.

        Args:
            x: the examples, `[S, ...]`, as the model takes them; a dict, list
                or tuple of them for a model with several inputs. Floats become
                float32. Pictures of data sets are float32 from 0 to 1.
            y: their labels: whole numbers `[S]` in 0..N-1, one-hot rows
                `[S, N]` or strings `[S]`; or targets, shaped like the model's
                outputs, `[S]` being as good as `[S, 1]`.
            steps: inner steps, at least 0; the setting `eval_inner_steps` if
                None.
            seed: of the mini-batches, any whole number from 0.

        Returns:
            A clone of the model with the adapted weights. Where the model has
            batch normalization, the clone's moving statistics are those of the
            examples, so that it is right in inference mode (`predict`), also
            for one query at a time. It returns what the model returns. Where
            labels are strings, `class_names` says which output is whose.

        Raises:
            ValueError: x or y is not what model and loss take, `steps` is
                below 0, or the model was changed.
            FloatingPointError: the adapted weights are not finite.
        """
        steps = self.settings.evaluation_steps(steps)
        x, y, names = support_set.convert(self, x, y)
        key = random.fold_in(seed, 0)
        model = self.evaluator.adapt(self.inner_state, steps, x, y, key)
        return with_class_names(model, names) if names else model
