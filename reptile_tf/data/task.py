"""What a task is, and what a distribution of tasks is.

Task i of a distribution is a function of (seed, i): sampling uses the random
functions of `reptile_tf.utils.random` only, so that a task is the same on any
machine, in any order and after any resume, and a distribution has no state to
save.
"""

from typing import Any, NamedTuple, Protocol

import tensorflow as tf


class Task(NamedTuple):
    """One task tau: what its learner sees, and what it is asked.

    >>> import reptile_tf as rt
    >>> task = rt.SineWaves(shots=10).sample(0)
    >>> task.support_x.shape, task.query_y.shape
    (TensorShape([10, 1]), TensorShape([50, 1]))

    Inputs of a model that takes several, and targets of one that returns
    several, are dicts, lists or tuples of tensors, structured as the model's.

    Attributes:
        support_x: inputs to learn from, `[S, ...]`, as the model takes them.
        support_y: their targets: int32 `[S]` labels, or floats shaped like the
            model's outputs, `[S, ...]`.
        query_x: inputs to be asked about, `[Q, ...]`.
        query_y: their targets.
        key: int32 `[2]`; the order of the inner mini-batches, and dropout where
            the model has it, are functions of it.
    """

    support_x: Any
    support_y: Any
    query_x: Any
    query_y: Any
    key: tf.Tensor


def num_examples(x: Any) -> int | tf.Tensor:
    """Returns how many examples `[n, ...]` are, where the graph knows it.

    The sets of tasks that vary in size are as large as they are when the graph
    runs; then it is an int32 scalar.

    Args:
        x: a tensor, or a structure of tensors.
    """
    first = tf.nest.flatten(x)[0]
    known = first.shape[0]
    return tf.shape(first)[0] if known is None else known


class Tasks(Protocol):
    """A distribution of tasks."""

    def sample(self, index: tf.Tensor) -> Task:
        """Returns task `index` (int64 scalar); always the same for an index."""


class Recipe(Protocol):
    """How tasks are drawn, apart from what they are drawn from."""

    def __hash__(self) -> int:
        """Equal recipes draw the same tasks of the same ingredients."""

    def sample(self, ingredients: Any, index: tf.Tensor) -> Task:
        """Returns task `index`.

        Args:
            ingredients: a structure of tensors.
            index: int64 scalar.
        """


class RecipeTasks:
    """The base of our own distributions: a recipe, and its ingredients.

    What is compiled for one of them serves all of an equal recipe, and is
    given the ingredients: another seed, or other classes, are not traced anew.

    Args:
        recipe: how tasks are drawn.
        ingredients: the tensors that they are drawn from.
    """

    def __init__(self, recipe: Recipe, ingredients: Any):
        self.recipe, self.ingredients = recipe, ingredients

    def sample(self, index: tf.Tensor) -> Task:
        """Returns task `index`: inputs as models see them, and targets."""
        return self.recipe.sample(self.ingredients, index)


class _Itself:
    """The recipe of a distribution that has none."""

    def __init__(self, tasks: Tasks):
        self._tasks = tasks

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other._tasks is self._tasks

    def __hash__(self) -> int:
        return id(self._tasks)

    def sample(self, ingredients: Any, index: tf.Tensor) -> Task:
        del ingredients  # there are none
        return self._tasks.sample(index)


def recipe_of(tasks: Any) -> tuple[Recipe, Any]:
    """Returns the recipe and the ingredients of a distribution of any class.

    Args:
        tasks: the distribution. A subclass of ours that has its own `sample` is
            of another class.
    """
    if getattr(type(tasks), "sample", None) is RecipeTasks.sample:
        try:
            hash(tasks.recipe)
        except TypeError:  # an augmentation that cannot be hashed
            pass
        else:
            return tasks.recipe, tasks.ingredients
    return _Itself(tasks), ()
