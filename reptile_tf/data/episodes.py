"""N-way K-shot episodes: classification tasks from labelled classes."""

import tensorflow as tf

from reptile_tf.data.classes import ClassImages
from reptile_tf.data.images import to_float
from reptile_tf.data.task import Task
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_at_least


class Episodes:
    """K-shot N-way classification tasks (paper, section 5.1).

    A task takes N classes without replacement, and K + `query_shots` images of
    each without replacement: K for the support set, the rest for the query set.
    Which class gets which label is a random permutation, and both sets are in
    random order, so that nothing can be read from an example's place.

    >>> import numpy as np
    >>> import reptile_tf as rt
    >>> images = np.zeros([12, 8, 8, 1], np.uint8)
    >>> classes = rt.ClassImages.from_labels(images, np.repeat([0, 1, 2], 4))
    >>> task = rt.Episodes(classes, ways=2, shots=3).sample(0)
    >>> task.support_x.shape, sorted(task.support_y.numpy().tolist())
    (TensorShape([6, 8, 8, 1]), [0, 0, 0, 1, 1, 1])

    Args:
        classes: the images to sample from.
        ways: N, at least 2 and at most the number of classes.
        shots: K, images of each class in the support set, at least 1.
        query_shots: images of each class in the query set; 0 for training
            tasks that need no query set.
        seed: of the sequence of tasks, any whole number from 0.

    Raises:
        ValueError: the classes are too few, or one of them too small.
    """

    def __init__(
        self,
        classes: ClassImages,
        ways: int,
        shots: int,
        query_shots: int = 1,
        seed: int = 0,
    ):
        require_at_least(2, ways=ways)
        require_at_least(1, shots=shots)
        require_at_least(0, query_shots=query_shots, seed=seed)
        if ways > classes.num_classes:
            raise ValueError(
                f"ways={ways} is more than the {classes.num_classes} classes "
                f"there are; use at most {classes.num_classes}"
            )
        smallest = int(classes.sizes.min())
        if shots + query_shots > smallest:
            raise ValueError(
                f"shots={shots} with query_shots={query_shots} needs "
                f"{shots + query_shots} images of each class, but one has only "
                f"{smallest}; use shots of at most {smallest - query_shots}"
            )
        self.ways, self.shots, self.query_shots = ways, shots, query_shots
        self.seed = seed
        self._num_classes = classes.num_classes
        self._largest = int(classes.sizes.max())
        # Tensors, which a compiled function refers to; arrays would be copied
        # into its graph.
        self._images = tf.constant(classes.images)
        self._starts = tf.constant(classes.offsets[:-1], tf.int32)
        self._sizes = tf.constant(classes.sizes, tf.int32)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: (height, width, channels)."""
        return tuple(self._images.shape[1:])

    def sample(self, index: tf.Tensor) -> Task:
        """Returns task `index`: float32 images in [0, 1], int32 labels."""
        key = random.fold_in(self.seed, index)
        class_key, image_key, support_key, query_key, task_key = random.split(
            key, 5
        )
        all_classes = tf.constant([self._num_classes])
        classes = random.choose(
            class_key, all_classes, self.ways, self._num_classes
        )
        classes = tf.squeeze(classes, 0)
        images = self.shots + self.query_shots
        sizes = tf.gather(self._sizes, classes)
        chosen = random.choose(image_key, sizes, images, self._largest)
        rows = tf.gather(self._starts, classes)[:, tf.newaxis] + chosen

        def examples(rows, key):  # [ways, n] -> shuffled images and labels
            size = self.ways * rows.shape[1]
            order = tf.squeeze(random.permutations(key, 1, size), 0)
            x = tf.gather(
                self._images, tf.gather(tf.reshape(rows, [-1]), order)
            )
            return to_float(x), order // max(1, rows.shape[1])

        support_x, support_y = examples(rows[:, : self.shots], support_key)
        query_x, query_y = examples(rows[:, self.shots :], query_key)
        return Task(support_x, support_y, query_x, query_y, task_key)
