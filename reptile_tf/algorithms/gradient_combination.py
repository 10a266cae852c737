"""Linear combinations of the gradients of the inner steps."""

import dataclasses
import itertools
import reprlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from reptile_tf.algorithms.algorithm import (
    Algorithm,
    Lesson,
    what_would_do,
)
from reptile_tf.algorithms.inner_loop import InnerLoop, adapt, mini_batches
from reptile_tf.algorithms.optimizers import InnerOptimizer
from reptile_tf.data.task import Task, num_examples


@dataclasses.dataclass(frozen=True)
class GradientCombination(Algorithm):
    """Any linear combination of the inner gradients (section 5.2, Figure 3).

    >>> import reptile_tf as rt
    >>> print(rt.GradientCombination((0, 1)))
    0.0,1.0

    Mini-batches do not overlap: a task needs k B support examples.

    Attributes:
        weights: c_1 to c_k, one for each inner step; (1, 1) is the sum
            g_1 + g_2, which is two-step Reptile, (0.5, 0.5) their mean.
    """

    weights: tuple[float, ...]

    def __post_init__(self):
        object.__setattr__(self, "weights", tuple(map(float, self.weights)))
        if not any(self.weights):
            raise ValueError(
                "the weights of a gradient combination must not all be 0; "
                f"received {reprlib.repr(self.weights)}"
            )

    def __str__(self) -> str:
        return ",".join(map(str, self.weights))

    def require(self, steps: int, optimizer: InnerOptimizer) -> None:
        """Refuses any other number of steps than there are weights."""
        if len(self.weights) != steps:
            shown, count = reprlib.repr(str(self))[1:-1], len(self.weights)
            raise ValueError(
                f"algorithm={shown} has {count} weights, which must be one for "
                f"each inner step; received inner_steps={steps}"
            )

    def require_examples(self, size: int, steps: int, batch_size: int) -> None:
        """Refuses support sets too small for k mini-batches kept apart."""
        if steps * batch_size > size:
            raise ValueError(
                f"algorithm={self} keeps its mini-batches apart: "
                f"{steps} of inner_batch_size={batch_size} take "
                f"{steps * batch_size} support examples, but a training task "
                f"has {size}; {what_would_do(size // steps)}"
            )

    def __call__(
        self, loop: InnerLoop, phi: tf.Tensor, state: Any, task: Task
    ) -> Lesson:
        """Takes k steps and weighs their changes."""
        batches = mini_batches(
            task.key, num_examples(task.support_x), loop.steps, loop.batch_size
        )
        return weighted_steps(self.weights, batches, loop, phi, state, task)


def weighted_steps(
    weights: Sequence[float],
    batches: tf.Tensor,
    loop: InnerLoop,
    phi: tf.Tensor,
    state: Any,
    task: Task,
) -> Lesson:
    """Takes an inner step on each mini-batch and adds up the weighted changes.

    Args:
        weights: c_1 to c_k, one for each mini-batch.
        batches: int32 `[k, B]`, rows of the support set.
        loop: model, loss and inner optimizer.
        phi: the weight vector to start from.
        state: the inner optimizer's state to start from.
        task: the task.
    """
    meta_gradient, loss, first = tf.zeros_like(phi), 0.0, 0
    after = phi
    # The steps of equal weight are one loop: their changes add up.
    for weight, equal in itertools.groupby(weights):
        before, last = after, first + len(list(equal))
        after, state, mean = adapt(
            loop,
            before,
            state,
            task.support_x,
            task.support_y,
            batches[first:last],
            task.key,
            first,
        )
        if weight:
            meta_gradient += weight * (before - after)
        loss += mean * (last - first) / len(weights)
        first = last
    return Lesson(meta_gradient, after, state, loss)
