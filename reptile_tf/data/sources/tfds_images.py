"""Image-classification sets of TensorFlow Datasets, pooled and cached."""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from reptile_tf.data import raw_files
from reptile_tf.data.images import nearest
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.sources import tfds_preparation
from reptile_tf.data.splits import ClassSplits, divide
from reptile_tf.data.task_settings import TaskSettings

# Bump when what is computed from a data set changes.
_CONVERSION = 2


def load(
    builder: tfds.core.DatasetBuilder,
    splits: Sequence[str],
    size: int | None = None,
    convert: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
    label_key: str = "label",
) -> LabelledExamples:
    """Reads splits of a prepared data set into one, classes in label order.

    Examples without a label, which TFDS marks by -1, are left out, and splits
    without one are not decoded. The rest is cached, keyed by the data set's
    name, version and files.

    Args:
        builder: a prepared `tfds.core.DatasetBuilder` with a feature "image".
        splits: names of the splits to pool.
        size: height and width to resize to, by nearest neighbour; the images'
            own, which must then be the same for all, if None.
        convert: applied to each image; changes need a new `_CONVERSION`.
        label_key: the name of the feature that is the label.

    Raises:
        ValueError: files of the data set are missing, or its images have no
            common size, or no example has a label.
    """
    _check_whole(builder, splits)
    shape = builder.info.features["image"].shape
    if size is None and None in shape:
        raise ValueError(
            f"images of {builder.info.full_name} have no common size; give "
            "size, to resize them to one"
        )
    if size is not None:
        shape = (size, size, shape[-1])
    converted = convert(tf.zeros(shape, tf.uint8)).shape
    reading = _Reading(builder, splits, label_key)

    def image(features):
        found = features["image"]
        return convert(found if size is None else nearest(found, *shape[:2]))

    def unlabelled(info: dict[str, Any]) -> dict[str, int]:
        return info.get("unlabelled", {})

    def fill(rows: np.ndarray) -> dict[str, Any]:
        first, places = 0, reading.places()
        for batch in reading.batches("image", image):
            rows[places[first : first + len(batch)]] = batch
            first += len(batch)
        return {"unlabelled": reading.unlabelled()}

    name = builder.info.full_name.replace("/", "-")
    classes, info = raw_files.load_or_write(
        f"{name}-{'-'.join(splits)}",
        [builder.info.as_json, *splits, size, label_key, _CONVERSION],
        converted,
        reading.classes,
        fill,
        known=lambda info: {*map(type, unlabelled(info).values())} <= {int},
    )
    for split, count in unlabelled(info).items():
        print(
            f"{builder.info.full_name}: {count:,} examples of {split} have no "
            "label (-1) and are left out"
        )
    return classes


class _Reading:
    """Splits of a data set, one after another, as they lie in the files."""

    def __init__(self, builder, splits, label_key):
        self._builder, self._splits, self._key = builder, splits, label_key
        self._labels = {}

    def batches(self, key, convert):
        """Yields the feature `key` of labelled examples, converted."""
        for split, labels in self._read_labels().items():
            start = 0
            if not self._known(labels).any():
                continue
            for batch in self._of(split, key, convert):
                kept = self._known(labels[start : start + len(batch)])
                start += len(batch)
                yield batch[kept]

    def unlabelled(self) -> dict[str, int]:
        """Returns split -> examples without a label, where there are any."""
        counts = {
            split: int((~self._known(labels)).sum())
            for split, labels in self._read_labels().items()
        }
        return {split: count for split, count in counts.items() if count}

    def _of(self, split, key, convert):
        """Yields the feature `key` of all examples of a split, converted."""
        wanted = tfds.decode.PartialDecoding({key: True})
        data = self._builder.as_dataset(split=split, decoders=wanted)
        data = data.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
        # Batches, since a step from TensorFlow to Python takes as long as to
        # decode an image.
        count = 0
        try:
            for batch in data.batch(1000).as_numpy_iterator():
                yield batch
                count += len(batch)
        except (tf.errors.DataLossError, tf.errors.FailedPreconditionError):
            count = 0
        if count != self._builder.info.splits[split].num_examples:
            raise ValueError(
                f"data_dir={self._builder.data_dir} is half-written: {split} "
                "ends before its last example; remove the folder and prepare "
                "it again"
            )

    def classes(self) -> tuple[np.ndarray, list[str]]:
        """Returns the sorted class numbers of the examples, and the names."""
        labels = self._kept()
        known = self._builder.info.features[self._key]
        if isinstance(known, tfds.features.ClassLabel):
            return np.sort(labels), known.names
        values, numbers = np.unique(labels, return_inverse=True)
        names = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
        return np.sort(numbers), names

    def places(self) -> np.ndarray:
        """Returns the row of each example once they are sorted by class."""
        order = np.argsort(self._kept(), kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return places

    def _kept(self) -> np.ndarray:
        """Returns the labels of all labelled examples."""
        every = np.concatenate(list(self._read_labels().values()))
        kept = every[self._known(every)]
        if not len(kept):
            name = self._builder.info.name
            raise ValueError(
                f"no example in {'+'.join(self._splits)} of {name} has a label "
                f"(all are -1); take other parts, as in dataset=tfds:{name}"
                "[train]"
            )
        return kept

    def _read_labels(self) -> dict[str, np.ndarray]:
        """Returns split -> the labels of its examples."""
        if not self._labels:
            self._labels = {
                split: np.concatenate(
                    list(self._of(split, self._key, lambda f: f[self._key]))
                )
                for split in self._splits
            }
        return self._labels

    def _known(self, labels: np.ndarray) -> np.ndarray:
        """Returns which examples have a label: TFDS's classes may be -1."""
        kind = self._builder.info.features[self._key]
        if isinstance(kind, tfds.features.ClassLabel):
            return labels >= 0
        return np.ones(len(labels), bool)


def load_split(
    builder: tfds.core.DatasetBuilder,
    seed: int,
    validation_classes: int | None = None,
) -> ClassSplits:
    """Prepares and reads a data set, and divides its classes by seed.

    Args:
        builder: a `tfds.core.DatasetBuilder` of labelled images. All its
            splits are pooled, since theirs are by image.
        seed: of the shuffle of the classes.
        validation_classes: as of `reptile_tf.data.splits.divide`.
    """
    tfds_preparation.prepare(builder)
    classes = load(builder, sorted(builder.info.splits))
    return divide(classes, seed, validation_classes)


def load_named(
    settings: TaskSettings, seed: int, data_dir: str | os.PathLike | None
) -> ClassSplits:
    """As `load_split`, for any image-classification set of TFDS by name.

    Args:
        settings: `dataset` is "tfds:" and the name of the data set, such as
            cifar100, and may name the splits to take, as in
            cifar100[train+test]; all if not given.
        seed: of the shuffle of the classes.
        data_dir: TFDS's data_dir; TFDS's default if None.

    Raises:
        ValueError: TFDS has no such data set, or it is not labelled images.
    """
    data_dir = tfds_preparation.existing(data_dir)
    given = settings.dataset.removeprefix("tfds:")
    match = re.fullmatch(r"([^\[\]]+)(?:\[([\w+]+)\])?", given)
    if match is None:
        raise ValueError(
            f"dataset={settings.dataset} must be tfds:NAME, or, for some of "
            "its splits, such as tfds:NAME[train+test]"
        )
    name, splits = match[1], match[2]
    try:
        with tfds_preparation.named_if_damaged(data_dir, name):
            builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"dataset=tfds:{name} is not a data set of TensorFlow Datasets, "
            f"and not in data_dir={data_dir}"
        ) from error
    _require_labelled_images(builder, name, settings.label_key)
    parts = splits.split("+") if splits else sorted(builder.info.splits)
    if len(set(parts)) < len(parts):
        raise ValueError(
            f"dataset={settings.dataset} names a split twice; each of its "
            "examples would be there twice"
        )
    try:
        tfds_preparation.prepare(builder)
    except AssertionError as error:  # of one that is downloaded by hand
        raise ValueError(
            f"dataset=tfds:{name} cannot be prepared: {error}"
        ) from error
    fixed = None not in builder.info.features["image"].shape
    if fixed and settings.image_size != TaskSettings.image_size:
        print(
            f"image_size={settings.image_size} has no use: the images of "
            f"{name} have a size of their own"
        )
    classes = load(
        builder,
        parts if splits else sorted(builder.info.splits),
        None if fixed else settings.image_size,
        label_key=settings.label_key,
    )
    return divide(classes, seed, settings.validation_classes)


def _require_labelled_images(builder, name: str, label_key: str) -> None:
    features = builder.info.features
    named = dict(getattr(features, "items", dict)())
    if not isinstance(named.get("image"), tfds.features.Image):
        raise ValueError(
            f"dataset=tfds:{name} must have a feature 'image', an image; it "
            f"has {features}"
        )
    label = named.get(label_key)
    # A class or a whole number, or a text.
    if (
        label is None
        or label.shape != ()
        or np.dtype(label.np_dtype).kind not in "iuSUO"
    ):
        raise ValueError(
            f"dataset=tfds:{name} must have a feature {label_key!r} that is a "
            "label: a class, a whole number or a text; give --label_key, the "
            f"name of one of {features}"
        )


def _check_whole(builder, splits):
    if not builder.info.splits:
        raise ValueError(
            f"data_dir={builder.data_dir} is half-written: it does not say "
            "what it holds; remove the folder and prepare it again"
        )
    for split in splits:
        if split not in builder.info.splits:
            raise ValueError(
                f"{builder.info.full_name} has no split {split!r}; it has "
                f"{sorted(builder.info.splits)}"
            )
        missing = [
            str(path)
            for path in builder.info.splits[split].filepaths
            if not path.exists()
        ]
        if missing:
            raise ValueError(
                f"data_dir={builder.data_dir} is half-written: {missing[0]} is "
                "missing; remove the folder and prepare it again"
            )
