"""Random changes of support images: flips and crops, made inside the graph.

An augmentation is a function (examples, key) -> examples of the same shape and
dtype. Its random choices follow from the key, so that task i stays a function
of i. It changes all images of a set at once.
"""

import dataclasses

import tensorflow as tf

from reptile_tf.data.episodes import Augmentation
from reptile_tf.data.task import num_examples
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_at_least


def random_flip(examples: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Mirrors each image, left to right, with probability 1/2.

    >>> import tensorflow as tf
    >>> from reptile_tf.data import augmentation
    >>> images = tf.reshape(tf.range(6), [2, 1, 3, 1])
    >>> flipped = augmentation.random_flip(images, tf.constant([0, 4]))
    >>> flipped.numpy().squeeze().tolist()
    [[0, 1, 2], [5, 4, 3]]

    Args:
        examples: images `[n, height, width, channels]`.
        key: int32 `[2]`.
    """
    _require_images(examples)
    height, width = examples.shape[1:3]
    draws = random.uniform(key, [num_examples(examples), 1], 0.0, 1.0)
    columns = tf.range(width)
    columns = tf.where(draws < 0.5, width - 1 - columns, columns)
    return _pixels(examples, tf.range(height)[tf.newaxis], columns)


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Moves each image by a random number of pixels, in both directions.

    It is the window of the image's own size, at a random place, of an image
    that has `padding` pixels more on each side. They mirror what is inside the
    edge, and do not repeat the edge itself: black pixels would frame drawings
    on white paper.

    >>> import tensorflow as tf
    >>> from reptile_tf.data import augmentation
    >>> images = tf.reshape(tf.range(1, 10), [1, 3, 3, 1])
    >>> crop = augmentation.RandomCrop(padding=1)
    >>> crop(images, tf.constant([0, 3])).numpy().squeeze().tolist()
    [[4, 5, 6], [7, 8, 9], [4, 5, 6]]

    Attributes:
        padding: pixels that an image may move, from 0 up to one less than its
            height and width; an eighth of the smaller of them, rounded down, if
            None.
    """

    padding: int | None = None

    def __post_init__(self) -> None:
        if self.padding is not None:
            require_at_least(0, padding=self.padding)

    def __call__(self, examples: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns one window of each image.

        Args:
            examples: images `[n, height, width, channels]`.
            key: int32 `[2]`.
        """
        _require_images(examples)
        height, width = examples.shape[1:3]
        side = min(height, width)
        padding = side // 8 if self.padding is None else self.padding
        if padding >= side:
            raise ValueError(
                f"padding={padding} must be less than the height and width of "
                f"the images, which are {height} and {width}; use at most "
                f"{side - 1}"
            )
        shifts = tf.random.stateless_uniform(
            [2, num_examples(examples), 1],
            *(key, -padding, padding + 1, tf.int32),
            alg=random.ALGORITHM,
        )
        rows = _reflected(tf.range(height) + shifts[0], height)
        columns = _reflected(tf.range(width) + shifts[1], width)
        return _pixels(examples, rows, columns)


def chain(*augmentations: Augmentation) -> Augmentation:
    """Returns the augmentation that applies others one after another.

    Args:
        *augmentations: each of them gets a key of its own.
    """

    def apply(examples: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        for i, augmentation in enumerate(augmentations):
            examples = augmentation(examples, random.fold_in(key, i))
        return examples

    return apply


# The values of the setting `augmentation`.
NAMED: dict[str, Augmentation | None] = {
    "none": None,
    "flip": random_flip,
    "crop": RandomCrop(),
    "flip_and_crop": chain(random_flip, RandomCrop()),
}


def _require_images(examples: tf.Tensor) -> None:
    if examples.shape.rank != 4:
        raise ValueError(
            "examples must be images [n, height, width, channels] to be "
            f"flipped or cropped; received {list(examples.shape)}. Use "
            "augment=None, or augmentation=none, for what is no image"
        )


def _pixels(
    examples: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor
) -> tf.Tensor:
    """Returns images made of the given pixels of each.

    One gather of single pixels takes a few milliseconds for 60 images of 84x84;
    TensorFlow's reversal of an axis takes ten times as long.

    Args:
        examples: `[n, height, width, channels]`.
        rows: int32 `[n or 1, height]`, which to take each row from.
        columns: int32 `[n, width]`.
    """
    height, width, channels = examples.shape[1:]
    image = tf.range(num_examples(examples))[:, tf.newaxis, tf.newaxis]
    place = (image * height + rows[:, :, tf.newaxis]) * width
    place += columns[:, tf.newaxis]
    return tf.gather(tf.reshape(examples, [-1, channels]), place)


def _reflected(places: tf.Tensor, size: int) -> tf.Tensor:
    """Returns places beyond an edge as those mirrored at it."""
    return (size - 1) - tf.abs((size - 1) - tf.abs(places))
