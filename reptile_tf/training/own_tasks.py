"""Tasks of the user's own: whether they are functions of their index."""

import contextlib

import numpy as np
import tensorflow as tf

from reptile_tf.data import augmentation
from reptile_tf.data.episodes import Episodes
from reptile_tf.data.python_tasks import PythonTasks
from reptile_tf.data.sine import SineWaves
from reptile_tf.data.task import Tasks
from reptile_tf.data.varied_episodes import VariedEpisodes

# Ours, which are known to be.
_STEADY = (Episodes, VariedEpisodes, SineWaves, PythonTasks)


def require_steady(tasks: Tasks) -> None:
    """Refuses tasks that are no function of their index.

    What Python or NumPy draws inside of `sample` becomes a constant when
    TensorFlow traces it: a training would see one task for ever.

    Args:
        tasks: the distribution; ours are looked at only where they change
            examples by a function of the user's.
    """
    augment = getattr(tasks, "augment", None)
    known = augment in augmentation.NAMED.values()
    if isinstance(tasks, _STEADY) and known:
        return
    sample = tf.function(tasks.sample, autograph=False).get_concrete_function(
        tf.TensorSpec([], tf.int64)
    )

    def at(draw, index):
        task = draw(tf.constant(index, tf.int64))
        return [np.asarray(t) for t in tf.nest.flatten(task)]

    plain, compiled = at(tasks.sample, 0), at(sample, 0)
    reason = None
    if not _same(plain, at(tasks.sample, 0)):
        reason = "asked for task 0 twice, it returned two different tasks"
    elif not (_same(plain, compiled) and _same(compiled, at(sample, 0))):
        reason = "compiled, it returns another task 0 than uncompiled"
    else:
        # There may be one task alone; its key is another for each index.
        with contextlib.suppress(tf.errors.OpError):
            if _same(compiled, at(sample, 1)):
                reason = "tasks 0 and 1 are the same, and so are their keys"
    if reason and isinstance(tasks, _STEADY):
        raise ValueError(
            f"augment={augment!r} must be a function of the examples and the "
            f"key, made of TensorFlow operations: {reason}; draw with "
            "tf.random.stateless_* and the key as seed"
        )
    if reason:
        raise ValueError(
            "sample of tasks must be a function of its index, made of "
            f"TensorFlow operations: {reason}; draw with tf.random.stateless_* "
            "and a seed that is made of the index, or write a NumPy function "
            "of the index and give it to reptile_tf.tasks_from_function"
        )


def _same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Returns whether tasks are the same but for rounding."""
    return len(one) == len(other) and all(
        a.shape == b.shape
        and (
            np.allclose(a, b, equal_nan=True)
            if a.dtype.kind == "f"
            else np.array_equal(a, b)
        )
        for a, b in zip(one, other, strict=True)
    )
