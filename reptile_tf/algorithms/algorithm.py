"""What an algorithm is: what training on one task says about phi.

An algorithm makes, from one task, a meta-gradient: the vector that the
meta-optimizer is given as a gradient. All have the unit of phi - W~, which is
alpha times a gradient, so that one outer step size serves them all:

    Reptile               phi - W~
    GradientCombination   alpha (c_1 g_1 + ... + c_k g_k)
    FOMAML                alpha g_k, the last step's alone
    MAML                  alpha dL_query(W~) / dphi
    ANIL                  MAML whose inner steps move the head alone

g_j is the gradient of the j-th mini-batch's loss at the weights W_(j-1), which
the steps before it made. With another inner optimizer than SGD, the j-th
step's change W_(j-1) - W_j stands for alpha g_j, as in the authors' code.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from reptile_tf.algorithms.inner_loop import InnerLoop
from reptile_tf.algorithms.optimizers import InnerOptimizer
from reptile_tf.data.task import Task
from reptile_tf.utils.fields import values_of


class Lesson(NamedTuple):
    """What training on one task gave.

    >>> import reptile_tf as rt
    >>> rt.Lesson._fields
    ('meta_gradient', 'weights', 'state', 'loss')

    Attributes:
        meta_gradient: what it says about phi, a vector.
        weights: W~, adapted to the support set.
        state: the inner optimizer's state to go on with.
        loss: mean loss of an example, a scalar.
    """

    meta_gradient: tf.Tensor
    weights: tf.Tensor
    state: tuple
    loss: tf.Tensor


class Algorithm:
    """The base of all algorithms, and what they share.

    One of your own is a frozen dataclass with a `__call__`:

    >>> import dataclasses
    >>> import reptile_tf as rt
    >>> from reptile_tf.algorithms import adapt_to_support
    >>> @dataclasses.dataclass(frozen=True)
    ... class HalfReptile(rt.Algorithm):
    ...     def __call__(self, loop, phi, state, task):
    ...         weights, state, loss = adapt_to_support(loop, phi, state, task)
    ...         return rt.Lesson((phi - weights) / 2, weights, state, loss)

    A learner with it can be saved. To load that, register the class with
    Keras (`keras.saving.register_keras_serializable`), or name it in
    `custom_objects`.
    """

    @property
    def needs_query(self) -> bool:
        """Whether tasks must have query examples."""
        return False

    @property
    def head_only(self) -> bool:
        """Whether inner steps move the weights of the last layer alone."""
        return False

    @property
    def second_order(self) -> bool:
        """Whether the meta-gradient differentiates through inner steps."""
        return False

    def get_config(self) -> dict[str, Any]:
        """Returns the fields, which make the algorithm again.

        Raises:
            ValueError: what it was made with is not known.
        """
        if dataclasses.is_dataclass(self):
            return values_of(self)
        if type(self).__init__ is object.__init__:
            return {}  # there is nothing that it was made with
        raise ValueError(
            f"algorithm={self!r} cannot be saved; make its class a dataclass, "
            "or give it get_config"
        )

    def require(self, steps: int, optimizer: InnerOptimizer) -> None:
        """Refuses k or an inner optimizer that it cannot work with.

        Raises:
            ValueError: names the argument.
        """

    def require_model(self, model: keras.Model) -> None:
        """Refuses a model that it cannot work with.

        Raises:
            ValueError: names the layer.
        """

    def require_examples(self, size: int, steps: int, batch_size: int) -> None:
        """Refuses support sets that are too small for the mini-batches.

        Args:
            size: S, examples of a support set.
            steps: k.
            batch_size: B.

        Raises:
            ValueError: names the argument and what would do.
        """
        if batch_size > size:
            raise ValueError(
                f"inner_batch_size={batch_size} is larger than a training "
                f"task, which has {size} support examples; use at most {size}"
            )

    def __call__(
        self, loop: InnerLoop, phi: tf.Tensor, state: Any, task: Task
    ) -> Lesson:
        """Trains on one task, with tensors alone.

        Args:
            loop: what inner steps are made of; its `steps` is k, and its
                `batch_size` B.
            phi: the weight vector.
            state: the inner optimizer's state to start from.
            task: a `reptile_tf.Task`.
        """
        [lesson] = self.lessons(loop, phi, state, [task])
        return lesson

    def lessons(
        self, loop: InnerLoop, phi: tf.Tensor, state: Any, tasks: Sequence[Task]
    ) -> list[Lesson]:
        """Trains on several tasks, each by itself, and a step of each in turn.

        An algorithm that can do so has this method in place of `__call__`. It
        is given one task at a time, or all of a meta-batch where that keeps
        more cores busy.

        Args:
            loop: as of `__call__`.
            phi: the weight vector that each task starts from.
            state: the state that each task starts from.
            tasks: at least one; of several, the shapes of the support sets are
                known, and the same.

        Returns:
            A lesson for each task, in their order.
        """
        raise NotImplementedError

    @property
    def takes_turns(self) -> bool:
        """Whether `lessons` says it all: there is no other `__call__`."""
        return type(self).__call__ is Algorithm.__call__


def what_would_do(batch_size: int) -> str:
    """Returns what to do where mini-batches are too large for a support set.

    Args:
        batch_size: the largest that would be small enough; may be 0.
    """
    if batch_size < 1:
        return "use more training shots"
    return (
        f"use an inner_batch_size of at most {batch_size}, or more training "
        "shots"
    )
