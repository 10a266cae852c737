"""Episodes of varying ways and shots, as Meta-Dataset samples them."""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from reptile_tf.data.episodes import Augmentation, choose_classes, most_ways
from reptile_tf.data.example_kind import ExampleKind
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.task import RecipeTasks, Task
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_at_least


class VariedEpisodes(RecipeTasks):
    """Classification tasks whose number of classes and examples vary.

    The number of classes is uniform between `ways` and `max_ways`. All classes
    of a task have as many queries: `max_queries`, or half of its smallest
    class. The size of a support set is a random share of what is left of the
    classes, of which each counts as 100 examples at most, and at most
    `max_support`. Large classes get more of it, and so do some at random; each
    gets one example at least (Triantafillou et al., Meta-Dataset, 2020, section
    3.2).

    A model for these tasks has `max_ways` outputs. Which of them stand for a
    task's classes is random, and evaluation leaves out the others. The sets
    have the sizes they have when a compiled function runs: nothing is traced
    again for another size.

    >>> import numpy as np
    >>> import reptile_tf as rt
    >>> rows, labels = np.zeros([60, 2]), np.repeat(np.arange(6), 10)
    >>> classes = rt.LabelledExamples.from_labels(rows, labels)
    >>> tasks = rt.VariedEpisodes(classes, ways=2, max_ways=4)
    >>> [len(np.unique(tasks.sample(i).query_y)) for i in range(6)]
    [2, 3, 3, 2, 3, 4]

    Args:
        classes: the examples to sample from.
        ways: the fewest classes of a task, at least 2.
        max_ways: the most, at most the number of classes.
        max_queries: the most query examples of a class, at least 1.
        max_support: the most support examples of a task, at least `max_ways`.
        seed: of the sequence of tasks, any whole number from 0.
        augment: as of `reptile_tf.Episodes`.

    Attributes:
        ways: the most classes of a task, and so the outputs of a model.

    Raises:
        ValueError: an argument is out of its range, or a class has fewer than
            2 examples.
    """

    varied = True

    def __init__(
        self,
        classes: LabelledExamples,
        ways: int = 5,
        max_ways: int = 20,
        max_queries: int = 10,
        max_support: int = 500,
        seed: int = 0,
        augment: Augmentation | None = None,
    ):
        require_at_least(2, ways=ways)
        require_at_least(ways, max_ways=max_ways)
        require_at_least(1, max_queries=max_queries)
        require_at_least(max_ways, max_support=max_support)
        require_at_least(0, seed=seed)
        if max_ways > classes.num_classes:
            raise ValueError(
                f"max_ways={max_ways} is more than the {classes.num_classes} "
                f"classes there are; {most_ways(classes.num_classes)}"
            )
        if classes.sizes.min() < 2:
            name = classes.names[int(classes.sizes.argmin())]
            raise ValueError(
                f"class {name!r} has a single example; a task needs one to "
                "learn from and one to be asked about"
            )
        self.ways, self.min_ways = max_ways, ways
        self.max_queries, self.max_support = max_queries, max_support
        self.seed, self.augment = seed, augment
        self.classes = classes
        recipe = _VariedRecipe(
            *(ways, max_ways, max_queries, max_support, augment, classes.kind)
        )
        super().__init__(recipe, (random.key_of(seed), *classes.ingredients))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.classes.example_shape


@dataclasses.dataclass(frozen=True)
class _VariedRecipe:
    """How `VariedEpisodes` are drawn; see there."""

    min_ways: int
    ways: int
    max_queries: int
    max_support: int
    augment: Augmentation | None
    kind: ExampleKind

    def sample(self, ingredients: Any, index: tf.Tensor) -> Task:
        """Returns task `index`.

        Args:
            ingredients: the key of the seed, and those of the classes.
            index: int64 scalar.
        """
        seed, all_examples, starts, all_sizes = ingredients
        key = random.fold_in(seed, index)
        ways_key, class_key, size_key, example_key, set_key, task_key = (
            random.split(key, 6)
        )
        ways = _integer(ways_key, self.min_ways, self.ways)
        classes = choose_classes(class_key, all_sizes, self.ways)[:ways]
        sizes = tf.gather(all_sizes, classes)
        queries = tf.minimum(self.max_queries, tf.reduce_min(sizes) // 2)
        shots = self._shots(size_key, sizes, queries)
        chosen = random.choose(
            example_key,
            sizes,
            tf.reduce_max(shots) + queries,
            tf.reduce_max(all_sizes),
        )
        rows = tf.gather(starts, classes)[:, tf.newaxis] + chosen
        place = tf.range(tf.shape(rows)[1])[tf.newaxis]
        label_key, support_key, query_key = random.split(set_key, 3)
        labels = random.permutations(label_key, 1, self.ways)[0, :ways]
        labels = tf.broadcast_to(labels[:, tf.newaxis], tf.shape(rows))

        def examples(wanted, key):  # [ways, n], bool -> examples and labels
            found = tf.boolean_mask(rows, wanted)
            order = random.permutations(key, 1, tf.size(found))[0]
            x = self.kind.inputs(all_examples, tf.gather(found, order))
            return x, tf.gather(tf.boolean_mask(labels, wanted), order)

        asked = tf.broadcast_to(place < queries, tf.shape(rows))
        query_x, query_y = examples(asked, query_key)
        shown = (place >= queries) & (place < queries + shots[:, tf.newaxis])
        support_x, support_y = examples(shown, support_key)
        if self.augment is not None:
            support_x = self.augment(support_x, random.fold_in(support_key, 1))
        return Task(support_x, support_y, query_x, query_y, task_key)

    def _shots(
        self, key: tf.Tensor, sizes: tf.Tensor, queries: tf.Tensor
    ) -> tf.Tensor:
        """Returns the support examples of each class, int32 `[ways]`.

        Args:
            key: int32 `[2]`.
            sizes: the examples of each class, int32 `[ways]`.
            queries: those of each class that are queries, an int32 scalar.
        """
        left = sizes - queries
        share_key, weight_key = random.split(key, 2)
        share = 1 - random.uniform(share_key, [], 0.0, 1.0)  # in (0, 1]
        most = tf.cast(tf.minimum(left, 100), tf.float32)
        total = tf.reduce_sum(tf.math.ceil(share * most))
        total = tf.minimum(total, float(self.max_support))
        ways = tf.size(left)
        weights = tf.exp(
            random.uniform(weight_key, [self.ways], math.log(0.5), math.log(2))
        )[:ways]
        weights *= tf.cast(sizes, tf.float32)
        parts = weights / tf.reduce_sum(weights)
        more = tf.floor(parts * (total - tf.cast(ways, tf.float32)))
        return tf.minimum(tf.cast(more, tf.int32) + 1, left)


def _integer(key: tf.Tensor, low: int, high: int) -> tf.Tensor:
    """Returns an int32 scalar between `low` and `high`, both included."""
    return tf.random.stateless_uniform(
        [], key, low, high + 1, tf.int32, alg=random.ALGORITHM
    )
