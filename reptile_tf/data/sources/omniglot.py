"""Omniglot, as the paper's experiments use it."""

import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from reptile_tf.data.sources import tfds_images, tfds_preparation
from reptile_tf.data.splits import ClassSplits, hold_out
from reptile_tf.data.task_settings import TaskSettings

CHARACTERS, DRAWINGS, TRAINING_CHARACTERS = 1623, 20, 1200


def load(
    settings: TaskSettings, seed: int, data_dir: str | os.PathLike | None
) -> ClassSplits:
    """Returns the classes, images 28x28, paper 255 and ink 0.

    Training characters turned by 90, 180 and 270 degrees are classes of their
    own; validation and test characters are not turned.

    Args:
        settings: `omniglot_split` is "characters", the paper's: all characters
            pooled, shuffled with `seed`, 1200 for training and 423 for testing;
            or "alphabets", Omniglot's own background and evaluation alphabets.
            `validation_classes` of the training characters, none if None, are
            held out of training.
        seed: of the shuffle.
        data_dir: TFDS's data_dir; TFDS's default if None. TFDS downloads
            Omniglot where it is not there.

    Raises:
        ValueError: the data are not Omniglot's 1623 characters of 20 drawings.
    """
    data_dir = tfds_preparation.existing(data_dir)
    with tfds_preparation.named_if_damaged(data_dir, "omniglot"):
        builder = tfds.builder("omniglot", data_dir=data_dir)
    tfds_preparation.prepare(builder)
    if settings.omniglot_split == "alphabets":
        train, test = (
            tfds_images.load(builder, [part], 28, _one_bit)
            for part in ("train", "test")
        )
        sizes = np.concatenate([train.sizes, test.sizes])
    else:
        pooled = tfds_images.load(builder, ["train", "test"], 28, _one_bit)
        sizes = pooled.sizes
    if len(sizes) != CHARACTERS or np.any(sizes != DRAWINGS):
        raise ValueError(
            f"data_dir={data_dir} holds {len(sizes)} characters of "
            f"{sizes.min()} to {sizes.max()} drawings; Omniglot has "
            f"{CHARACTERS} of {DRAWINGS}. Remove it and prepare it again"
        )
    if settings.omniglot_split == "characters":
        train, test = pooled.split(TRAINING_CHARACTERS, seed)
    elif settings.validation_classes:
        order = np.random.RandomState(seed).permutation(train.num_classes)
        train = train.subset(order)
    train, validation, test = hold_out(
        train, test, settings.validation_classes or 0
    )
    return ClassSplits(train.with_rotations(), validation, test)


def _one_bit(image: tf.Tensor) -> tf.Tensor:
    # TFDS repeats the one-bit drawing in three channels.
    return tf.where(image[..., :1] < 128, tf.constant(0, tf.uint8), 255)
