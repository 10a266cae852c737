"""MAML, and ANIL, which is MAML for the last layer alone."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.algorithms.algorithm import Algorithm, Lesson
from reptile_tf.algorithms.inner_loop import InnerLoop, adapt_to_support
from reptile_tf.algorithms.optimizers import SGD, InnerOptimizer
from reptile_tf.data.task import Task
from reptile_tf.models import BatchNormalization, keras_internals
from reptile_tf.utils import random


@dataclasses.dataclass(frozen=True)
class MAML(Algorithm):
    """The query loss differentiated through the inner steps (Finn et al. 2017).

    >>> import reptile_tf as rt
    >>> rt.MAML().needs_query
    True

    Second order, so memory grows with k. The inner optimizer must be SGD, as
    in its definition: what a step of Adam adds to a sum of squares has no
    useful derivative where that sum starts at 0.
    """

    @property
    def needs_query(self) -> bool:
        """Whether tasks must have query examples: always."""
        return True

    @property
    def second_order(self) -> bool:
        """Whether it differentiates through inner steps: always."""
        return True

    def __str__(self) -> str:
        return "maml"

    def require(self, steps: int, optimizer: InnerOptimizer) -> None:
        """Refuses another inner optimizer than SGD."""
        if not isinstance(optimizer, SGD):
            raise ValueError(
                f"algorithm={self} needs inner_optimizer=SGD(alpha), "
                "through whose steps it differentiates; the root in Adam's "
                "has no finite derivative at moments of 0. Received "
                f"inner_optimizer={optimizer}"
            )

    def require_model(self, model: keras.Model) -> None:
        """Refuses layers whose second derivatives TensorFlow has wrong."""
        normalizations = (
            keras.layers.BatchNormalization,
            keras.layers.GroupNormalization,
            keras.layers.LayerNormalization,
        )
        for layer in keras_internals.all_layers(model):
            if isinstance(layer, normalizations) and not isinstance(
                layer, BatchNormalization
            ):
                raise ValueError(
                    f"algorithm={self} takes second derivatives, which are "
                    f"wrong for layer {layer.name!r} of model {model.name!r}: "
                    f"{type(layer).__name__} of Keras takes its statistics "
                    "from tf.nn.moments, whose variance holds the mean "
                    "constant. Use reptile_tf.models.BatchNormalization, or "
                    "a first-order algorithm such as fomaml"
                )

    def __call__(
        self, loop: InnerLoop, phi: tf.Tensor, state: Any, task: Task
    ) -> Lesson:
        """Takes k steps and differentiates the query loss through them."""
        with tf.GradientTape() as tape:
            tape.watch(phi)
            weights, state, loss = adapt_to_support(loop, phi, state, task)
            query_loss, _ = loop.objective(
                loop.model.cut(weights),
                task.query_x,
                task.query_y,
                random.fold_in(task.key, loop.steps),
            )
        gradient = tape.gradient(query_loss, phi)
        assert isinstance(loop.optimizer, SGD)  # as `require` has seen to
        alpha = loop.optimizer.learning_rate
        return Lesson(alpha * gradient, weights, state, loss)


@dataclasses.dataclass(frozen=True)
class ANIL(MAML):
    """MAML that adapts the head alone (Raghu et al. 2020).

    >>> import reptile_tf as rt
    >>> rt.ANIL().head_only
    True

    Inner steps, in training and in evaluation, move the weights of the model's
    last layer only; the outer step moves all.
    """

    @property
    def head_only(self) -> bool:
        """Whether inner steps move the last layer alone: always."""
        return True

    def __str__(self) -> str:
        return "anil"
