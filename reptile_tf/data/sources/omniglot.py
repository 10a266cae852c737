"""Omniglot, as the paper's experiments use it."""

import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from reptile_tf.data.classes import ClassImages
from reptile_tf.data.sources import tfds_images

CHARACTERS, DRAWINGS, TRAINING_CHARACTERS = 1623, 20, 1200


def load(
    data_dir: str | os.PathLike | None = None,
    split: str = "characters",
    seed: int = 0,
) -> tuple[ClassImages, ClassImages]:
    """Returns the training and the test classes, 28x28, paper 255 and ink 0.

    Training characters turned by 90, 180 and 270 degrees are classes of their
    own; test characters are not turned.

    Args:
        data_dir: TFDS's data_dir; TFDS's default if None. TFDS downloads
            Omniglot where it is not there.
        split: "characters", the paper's: all characters pooled, shuffled with
            `seed`, 1200 for training and 423 for testing; or "alphabets",
            Omniglot's own background and evaluation alphabets.
        seed: of the shuffle.

    Raises:
        ValueError: `split` is unknown, or the data are not Omniglot's 1623
            characters of 20 drawings.
    """
    if split not in ("characters", "alphabets"):
        raise ValueError(
            f"split must be 'characters' or 'alphabets'; received {split!r}"
        )
    tfds_images.require_folder(data_dir)
    builder = tfds.builder("omniglot", data_dir=data_dir)
    builder.download_and_prepare()
    if split == "alphabets":
        parts = [
            tfds_images.load(builder, [part], 28, _one_bit)
            for part in ("train", "test")
        ]
        sizes = np.concatenate([part.sizes for part in parts])
    else:
        pooled = tfds_images.load(builder, ["train", "test"], 28, _one_bit)
        sizes = pooled.sizes
    if len(sizes) != CHARACTERS or np.any(sizes != DRAWINGS):
        raise ValueError(
            f"data_dir={data_dir} holds {len(sizes)} characters of "
            f"{sizes.min()} to {sizes.max()} drawings; Omniglot has "
            f"{CHARACTERS} of {DRAWINGS}. Remove it and prepare it again"
        )
    if split == "characters":
        parts = list(pooled.split(TRAINING_CHARACTERS, seed))
    train, test = parts
    return train.with_rotations(), test


def _one_bit(image: tf.Tensor) -> tf.Tensor:
    # TFDS repeats the one-bit drawing in three channels.
    return tf.where(image[..., :1] < 128, tf.constant(0, tf.uint8), 255)
