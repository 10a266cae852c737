"""Errors of compiled functions, told by the task that they are of."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.data.episodes import Episodes
from reptile_tf.data.sine import SineWaves
from reptile_tf.data.task import Tasks
from reptile_tf.data.varied_episodes import VariedEpisodes
from reptile_tf.models.shapes import output_shape
from reptile_tf.training.task_checks import require_targets


@contextlib.contextmanager
def explained(
    learner: Any, tasks: Tasks, indices: Iterable[int]
) -> Iterator[None]:
    """Says in one sentence what is wrong with the task that an error is of.

    An error inside of a compiled function says where in the graph it was, and
    nothing of the task. So the tasks are looked at again, one by one.

    Args:
        learner: the `MetaLearner`.
        tasks: the distribution that its block works on.
        indices: of the tasks that may be at fault.

    Raises:
        ValueError: a task has inputs that are not finite, or targets that the
            loss cannot compare with; or XLA cannot compile the model.
    """
    try:
        yield
    except (tf.errors.OpError, FloatingPointError) as error:
        if learner.settings.jit_compile:
            _require_compiled(learner, str(error))
        if isinstance(tasks, Episodes | VariedEpisodes | SineWaves):
            raise
        for index in indices:
            _require_learnable(learner, tasks, index)
        raise


def _require_compiled(learner, error) -> None:
    found = re.search(r"unsupported operations.*?: (\w+) \(", error)
    if not found and "compile-time constant" in error:
        raise ValueError(
            "jit_compile=True: XLA cannot compile shapes that depend on data, "
            f"as model {learner.model.name!r} has them; use jit_compile=False"
        )
    if found:
        raise ValueError(
            f"jit_compile=True: XLA cannot compile the operation {found[1]} of "
            f"model {learner.model.name!r}; use jit_compile=False"
        )


def _require_learnable(learner, tasks, index) -> None:
    # What a user's function raises comes from here as it is.
    task = tasks.sample(tf.constant(index, tf.int64))
    for name in ("support_x", "query_x"):
        for x in tf.nest.flatten(getattr(task, name)):
            if x.dtype.is_floating and not np.isfinite(x).all():
                raise ValueError(
                    f"{name} of task {index} must be finite; it has NaN or "
                    "infinity"
                )
    shapes = output_shape(learner.model, task.support_x)
    dtype = learner.functional.dtype
    require_targets(task, shapes, learner.loss, dtype, f"of task {index}")
