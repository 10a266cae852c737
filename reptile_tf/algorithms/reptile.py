"""Reptile: phi moves towards the weights that a task was learned with."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from reptile_tf.algorithms.algorithm import Algorithm, Lesson
from reptile_tf.algorithms.inner_loop import InnerLoop, adapt_to_supports
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

    def lessons(
        self, loop: InnerLoop, phi: tf.Tensor, state: Any, tasks: Sequence[Task]
    ) -> list[Lesson]:
        """Takes k steps to W~ on each task; the meta-gradient is phi - W~."""
        return [
            Lesson(phi - weights, weights, state, loss)
            for weights, state, loss in adapt_to_supports(
                loop, phi, state, tasks
            )
        ]
