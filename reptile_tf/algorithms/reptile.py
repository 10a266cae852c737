"""Reptile: phi moves towards the weights that a task was learned with."""

import dataclasses
from typing import Any

import tensorflow as tf

from reptile_tf.algorithms.algorithm import Algorithm, Lesson
from reptile_tf.algorithms.inner_loop import InnerLoop, adapt_to_support
from reptile_tf.data.task import Task


@dataclasses.dataclass(frozen=True)
class Reptile(Algorithm):
    """The paper's: phi - W~, after k steps of any inner optimizer.

    With SGD it is alpha (g_1 + ... + g_k). Mini-batches go round the support
    set: an example may be in several of them.

    >>> import reptile_tf as rt
    >>> print(rt.Reptile())
    reptile

    Reference: Algorithms 1 and 2 of the paper.
    """

    def __str__(self) -> str:
        return "reptile"

    def __call__(
        self, loop: InnerLoop, phi: tf.Tensor, state: Any, task: Task
    ) -> Lesson:
        """Takes k steps to W~; the meta-gradient is phi - W~."""
        weights, state, loss = adapt_to_support(loop, phi, state, task)
        return Lesson(phi - weights, weights, state, loss)
