"""What the meta-learner refuses before it does any work."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.algorithms import Algorithm
from reptile_tf.algorithms.optimizers import InnerOptimizer
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.task import Task, Tasks, num_examples
from reptile_tf.models.faithful import require_faithful
from reptile_tf.models.shapes import output_shape
from reptile_tf.training import inputs, outputs, own_tasks, targets
from reptile_tf.training.settings import Settings
from reptile_tf.utils import backend, interruptible
from reptile_tf.utils.validation import require_at_least


def require_parts(
    algorithm: Any, inner_optimizer: Any, meta_optimizer: Any
) -> None:
    """Refuses what is no algorithm, or no optimizer of its kind.

    Args:
        algorithm: that was given, or that its name was of.
        inner_optimizer: that was given.
        meta_optimizer: that was given, or None.

    Raises:
        ValueError: names the argument and what would do.
    """
    backend.require_keras_3(meta_optimizer=meta_optimizer)
    if not isinstance(algorithm, Algorithm):
        raise ValueError(
            "algorithm must be a name, or an instance of "
            f"reptile_tf.Algorithm; received {algorithm!r}"
        )
    # A class has the functions too, but not what it is made with.
    made = not isinstance(inner_optimizer, type)
    if not made or not isinstance(inner_optimizer, InnerOptimizer):
        raise ValueError(
            "inner_optimizer must be a reptile_tf.Adam or reptile_tf.SGD, or "
            "an object with functions init and update; received "
            f"{inner_optimizer!r}"
        )
    known = isinstance(meta_optimizer, keras.optimizers.Optimizer | None)
    if not known:
        raise ValueError(
            "meta_optimizer must be a Keras optimizer, such as "
            "keras.optimizers.SGD(1.0); received "
            f"{meta_optimizer!r}"
        )
    if getattr(meta_optimizer, "loss_scale_factor", None) is not None or (
        isinstance(meta_optimizer, keras.optimizers.LossScaleOptimizer)
    ):
        raise ValueError(
            "meta_optimizer must not scale losses, as no loss here is scaled: "
            "it would divide the meta-gradient; leave out loss_scale_factor, "
            "or give the inner_optimizer of the LossScaleOptimizer alone"
        )


def first(learner: Any, tasks: Any, name: str) -> Task:
    """Returns task 0 of tasks that a learner can learn from.

    Args:
        learner: the `MetaLearner`.
        tasks: what was given as a distribution.
        name: of the argument.

    Raises:
        ValueError: tasks, model and loss do not fit each other, or the tasks
            are no function of their index.
    """
    functional = learner.functional
    functional.require_unchanged()
    task = example(tasks, name)
    require_fit(functional.model, tasks, task, learner.loss, functional.dtype)
    require_faithful(functional, task.support_x)
    own_tasks.require_steady(tasks)
    return task


def example(tasks: Any, name: str = "tasks") -> Task:
    """Returns task 0; refuses what is no distribution of tasks.

    Args:
        tasks: what was given as a distribution.
        name: of the argument.

    Raises:
        ValueError: says how to make a distribution of it.
    """
    if not callable(getattr(tasks, "sample", None)) or isinstance(tasks, type):
        way = "give an object with a function sample(index)"
        if isinstance(tasks, LabelledExamples):
            way = "make tasks of them: Episodes(examples, ways, shots)"
        elif callable(tasks) and not isinstance(tasks, type):
            way = "make tasks of a function: tasks_from_function(function)"
        raise ValueError(
            f"{name} must be a distribution of tasks; received "
            f"{tasks!r:.80}; {way}"
        )
    task = interruptible.aside(lambda: tasks.sample(tf.constant(0, tf.int64)))
    if not isinstance(task, tuple) or len(task) != len(Task._fields):
        raise ValueError(
            f"sample of {name} must return a reptile_tf.Task; for index 0 it "
            f"returned a {type(task).__name__}"
        )
    return Task(*task)


def require_fit(
    model: keras.Model, tasks: Tasks, task: Task, loss: Any, dtype: tf.DType
) -> None:
    """Refuses tasks that the model or its loss does not fit.

    Args:
        model: the model that is to learn.
        tasks: the distribution it is to learn from.
        task: its task 0.
        loss: the learner's.
        dtype: of targets that are not labels.
    """
    inputs.require_inputs(model, task.support_x, "tasks")
    shapes = output_shape(model, task.support_x)
    ways = getattr(tasks, "ways", None)
    if ways is not None and isinstance(shapes, tf.TensorShape):
        if shapes[-1] != ways:
            raise ValueError(
                f"model {model.name!r} has {shapes[-1]} outputs, but tasks "
                f"have ways={ways}; its last layer must have {ways} units"
            )
    require_targets(task, shapes, loss, dtype, "of task 0")


def require_targets(
    task: Task, shapes: Any, loss: Any, dtype: tf.DType, whose: str
) -> None:
    """Refuses targets of a task that the loss cannot compare with.

    Args:
        task: the task.
        shapes: of the outputs of one example, see `output_shape`.
        loss: the learner's.
        dtype: of targets that are not labels.
        whose: which task it is, for the message.
    """
    for name, x, y in (
        ("support_y", task.support_x, task.support_y),
        ("query_y", task.query_x, task.query_y),
    ):
        if not num_examples(x):
            continue
        values = tf.nest.map_structure(np.asarray, y)
        what = f"{name} {whose}"
        made = targets.convert(values, x, shapes, loss, dtype, what)
        if tf.nest.is_nested(loss) or outputs.kind(loss) != outputs.LABELS:
            continue
        for one, other in zip(
            tf.nest.flatten(values), tf.nest.flatten(made), strict=True
        ):
            same = one.shape in (other.shape, (*other.shape, 1))
            if one.dtype.kind not in "iu" or not same:
                raise ValueError(
                    f"{what} must be integer labels of shape "
                    f"{list(other.shape)}; received {one.dtype} "
                    f"{list(one.shape)}"
                )


def require_trainable(learner: Any, tasks: Any) -> None:
    """Refuses tasks that a learner cannot be trained on.

    Args:
        learner: the `MetaLearner`.
        tasks: what was given as the distribution to learn from.
    """
    task = first(learner, tasks, "tasks")
    algorithm, settings = learner.algorithm, learner.settings
    size = num_examples(task.support_x)
    if getattr(tasks, "varied", False):
        require_any_size(algorithm, settings)
    else:
        algorithm.require_examples(
            size, settings.inner_steps, settings.inner_batch_size
        )
    if algorithm.needs_query:
        require_queries(task, "tasks", f"algorithm={algorithm}")


def require_measurable(
    learner: Any, tasks: Any, num_tasks: int, which: str = ""
) -> None:
    """Refuses tasks that a learner cannot be evaluated on.

    Args:
        learner: the `MetaLearner`.
        tasks: what was given as the distribution to measure on.
        num_tasks: how many of them.
        which: what the arguments' names have before tasks.
    """
    # An interval needs two.
    require_at_least(2, **{f"num_{which}tasks": num_tasks})
    task = first(learner, tasks, f"{which}tasks")
    require_queries(task, f"{which}tasks")


def require_any_size(algorithm: Algorithm, settings: Settings) -> None:
    """Refuses an algorithm that support sets of any size would not do for.

    A mini-batch that is larger than a support set holds examples more than
    once; some algorithms need mini-batches that share none.

    Args:
        algorithm: that is to learn.
        settings: the learner's.
    """
    size = settings.inner_batch_size
    try:
        algorithm.require_examples(size, settings.inner_steps, size)
    except ValueError as error:
        raise ValueError(
            f"algorithm={algorithm} needs mini-batches that share no example, "
            "for which support sets of varying size may be too small; use "
            "another algorithm, or tasks of one size"
        ) from error


def require_queries(
    task: Task, name: str, whose: str = "an evaluation"
) -> None:
    """Refuses tasks with empty query sets.

    Args:
        task: one of them.
        name: of the argument that holds them.
        whose: what needs the queries.
    """
    if not num_examples(task.query_x):
        raise ValueError(
            f"{name} have no query examples, which {whose} needs; give them "
            "query_shots of at least 1"
        )
