"""N-way K-shot episodes: classification tasks from labelled classes."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from reptile_tf.data.example_kind import ExampleKind
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.task import RecipeTasks, Task
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_at_least

# (examples, key) -> examples of the same shape.
Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Episodes(RecipeTasks):
    """K-shot N-way classification tasks (paper, section 5.1).

    A task takes N classes without replacement, and K + `query_shots` examples
    of each without replacement: K for the support set, the rest for the query
    set. Which class gets which label is a random permutation, and both sets are
    in random order, so that nothing can be read from an example's place.

    >>> import numpy as np
    >>> import reptile_tf as rt
    >>> images = np.zeros([12, 8, 8, 1], np.uint8)
    >>> labels = np.repeat(["ant", "bee", "cat"], 4)
    >>> classes = rt.LabelledExamples.from_labels(images, labels)
    >>> tasks = rt.Episodes(classes, ways=2, shots=3)
    >>> task = tasks.sample(0)
    >>> task.support_x.shape, sorted(task.support_y.numpy().tolist())
    (TensorShape([6, 8, 8, 1]), [0, 0, 0, 1, 1, 1])
    >>> tasks.class_names(0)
    ['ant', 'bee']

    Args:
        classes: the examples to sample from.
        ways: N, at least 2 and at most the number of classes.
        shots: K, examples of each class in the support set, at least 1.
        query_shots: examples of each class in the query set; 0 for training
            tasks that need no query set.
        seed: of the sequence of tasks, any whole number from 0.
        augment: makes other examples of those of a support set, such as
            `reptile_tf.data.augmentation.random_flip`; called with the
            examples as models see them, and an int32 key `[2]` that its random
            choices are to follow from. Query sets stay as they are.

    Raises:
        ValueError: the classes are too few, or one of them too small.
    """

    def __init__(
        self,
        classes: LabelledExamples,
        ways: int,
        shots: int,
        query_shots: int = 1,
        seed: int = 0,
        augment: Augmentation | None = None,
    ):
        require_at_least(2, ways=ways)
        require_at_least(1, shots=shots)
        require_at_least(0, query_shots=query_shots, seed=seed)
        if ways > classes.num_classes:
            raise ValueError(
                f"ways={ways} is more than the {classes.num_classes} classes "
                f"there are; {most_ways(classes.num_classes)}"
            )
        smallest = int(classes.sizes.min())
        if shots + query_shots > smallest:
            raise ValueError(
                f"shots={shots} with query_shots={query_shots} needs "
                f"{shots + query_shots} examples of each class, but one has "
                f"only {smallest}; {_what_would_do(smallest, query_shots)}"
            )
        self.ways, self.shots, self.query_shots = ways, shots, query_shots
        self.seed, self.augment = seed, augment
        self.classes = classes
        self._episodes = EpisodeRecipe(
            ways, shots, query_shots, augment, classes.kind
        )
        super().__init__(
            self._episodes, (random.key_of(seed), *classes.ingredients)
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.classes.example_shape

    def class_names(self, index: int | tf.Tensor) -> list[str]:
        """Returns the names of task `index`'s classes, in label order."""
        chosen = self._episodes.classes(self.ingredients, index)
        return [self.classes.names[c] for c in chosen.numpy()]


@dataclasses.dataclass(frozen=True)
class EpisodeRecipe:
    """How `Episodes` are drawn; see there."""

    ways: int
    shots: int
    query_shots: int
    augment: Augmentation | None
    kind: ExampleKind

    @property
    def num_queries(self) -> int:
        """The queries of a task."""
        return self.ways * self.query_shots

    def sample(self, ingredients: Any, index: tf.Tensor) -> Task:
        """Returns task `index`.

        Args:
            ingredients: the key of the seed, and those of the classes.
            index: int64 scalar.
        """
        seed, all_examples, starts, sizes = ingredients
        class_key, example_key, support_key, query_key, task_key = _keys(
            seed, index
        )
        classes = choose_classes(class_key, sizes, self.ways)
        each = self.shots + self.query_shots
        chosen = random.choose(
            example_key, tf.gather(sizes, classes), each, tf.reduce_max(sizes)
        )
        rows = tf.gather(starts, classes)[:, tf.newaxis] + chosen

        def examples(rows, key):  # [ways, n] -> shuffled examples and labels
            size = self.ways * rows.shape[1]
            order = tf.squeeze(random.permutations(key, 1, size), 0)
            shuffled = tf.gather(tf.reshape(rows, [-1]), order)
            x = self.kind.inputs(all_examples, shuffled)
            return x, order // max(1, rows.shape[1])

        support_x, support_y = examples(rows[:, : self.shots], support_key)
        query_x, query_y = examples(rows[:, self.shots :], query_key)
        if self.augment is not None:
            support_x = self.augment(support_x, random.fold_in(support_key, 1))
        return Task(support_x, support_y, query_x, query_y, task_key)

    def classes(self, ingredients: Any, index: int | tf.Tensor) -> tf.Tensor:
        """Returns the numbers of a task's classes, int32 `[ways]`."""
        seed, _, _, sizes = ingredients
        return choose_classes(_keys(seed, index)[0], sizes, self.ways)


def _keys(seed: tf.Tensor, index: int | tf.Tensor) -> list[tf.Tensor]:
    return random.split(random.fold_in(seed, index), 5)


def choose_classes(key: tf.Tensor, sizes: tf.Tensor, ways: int) -> tf.Tensor:
    """Returns the numbers of a task's classes, int32 `[ways]`.

    Args:
        key: int32 `[2]`.
        sizes: the examples of each class there is, int32 `[classes]`.
        ways: how many to choose.
    """
    count = tf.size(sizes)
    return tf.squeeze(random.choose(key, count[tf.newaxis], ways, count), 0)


def most_ways(num_classes: int) -> str:
    """Returns how many ways so many classes allow."""
    if num_classes < 2:
        return "a task needs at least 2 classes"
    return f"use at most {num_classes}"


def _what_would_do(smallest: int, query_shots: int) -> str:
    """Returns which settings a class of so many examples allows."""
    if smallest > query_shots:
        return f"use shots of at most {smallest - query_shots}"
    if smallest > 1:
        return f"use query_shots of at most {smallest - 1}, and fewer shots"
    return "leave out the classes that have a single example"
