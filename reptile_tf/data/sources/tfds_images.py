"""Image-classification sets of TensorFlow Datasets, pooled and cached."""

import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from reptile_tf.data import raw_files
from reptile_tf.data.images import nearest
from reptile_tf.data.labelled_examples import LabelledExamples
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

    They are cached, keyed by the data set's name, version and files.

    Args:
        builder: a prepared `tfds.core.DatasetBuilder` with a feature "image".
        splits: names of the splits to pool.
        size: height and width to resize to, by nearest neighbour; the images'
            own, which must then be the same for all, if None.
        convert: applied to each image; changes need a new `_CONVERSION`.
        label_key: the name of the feature that is the label.

    Raises:
        ValueError: files of the data set are missing, or its images have no
            common size.
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

    def fill(rows: np.ndarray) -> dict[str, Any]:
        first, places = 0, reading.places()
        for batch in reading.batches("image", image):
            rows[places[first : first + len(batch)]] = batch
            first += len(batch)
        return {}

    name = builder.info.full_name.replace("/", "-")
    classes, _ = raw_files.load_or_write(
        f"{name}-{'-'.join(splits)}",
        [builder.info.as_json, *splits, size, label_key, _CONVERSION],
        converted,
        reading.classes,
        fill,
    )
    return classes


class _Reading:
    """Splits of a data set, one after another, as they lie in the files."""

    def __init__(self, builder, splits, label_key):
        self._builder, self._splits, self._key = builder, splits, label_key
        self._labels = None

    def batches(self, key, convert):
        """Yields the feature `key` of all examples, converted, in batches."""
        wanted = tfds.decode.PartialDecoding({key: True})
        for split in self._splits:
            data = self._builder.as_dataset(split=split, decoders=wanted)
            data = data.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
            # Batches, since a step from TensorFlow to Python takes as long as
            # to decode an image.
            count = 0
            try:
                for batch in data.batch(1000).as_numpy_iterator():
                    yield batch
                    count += len(batch)
            except (tf.errors.DataLossError, tf.errors.FailedPreconditionError):
                count = 0
            if count != self._builder.info.splits[split].num_examples:
                raise ValueError(
                    f"data_dir={self._builder.data_dir} is half-written: "
                    f"{split} ends before its last example; remove the folder "
                    "and prepare it again"
                )

    def classes(self) -> tuple[np.ndarray, list[str]]:
        """Returns the sorted class numbers of all examples, and the names."""
        labels = self._read_labels()
        known = self._builder.info.features[self._key]
        if isinstance(known, tfds.features.ClassLabel):
            return np.sort(labels), known.names
        values, numbers = np.unique(labels, return_inverse=True)
        names = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
        return np.sort(numbers), names

    def places(self) -> np.ndarray:
        """Returns the row of each example once they are sorted by class."""
        order = np.argsort(self._read_labels(), kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return places

    def _read_labels(self):
        if self._labels is None:
            batches = self.batches(self._key, lambda f: f[self._key])
            labels = np.concatenate(list(batches))
            if labels.dtype.kind == "i" and (missing := (labels < 0).sum()):
                raise ValueError(
                    f"{missing:,} of {len(labels):,} examples in "
                    f"{'+'.join(self._splits)} of {self._builder.info.name} "
                    "have no label (-1); take the other parts alone, as in "
                    f"dataset=tfds:{self._builder.info.name}[train]"
                )
            self._labels = labels
        return self._labels


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
    builder.download_and_prepare()
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
    require_folder(data_dir)
    given = settings.dataset.removeprefix("tfds:")
    match = re.fullmatch(r"([^\[\]]+)(?:\[([\w+]+)\])?", given)
    if match is None:
        raise ValueError(
            f"dataset={settings.dataset} must be tfds:NAME, or, for some of "
            "its splits, such as tfds:NAME[train+test]"
        )
    name, splits = match[1], match[2]
    try:
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
        builder.download_and_prepare()
    except AssertionError as error:  # of one that is downloaded by hand
        raise ValueError(
            f"dataset=tfds:{name} cannot be prepared: {error}"
        ) from error
    fixed = None not in builder.info.features["image"].shape
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


def require_folder(data_dir: str | os.PathLike | None) -> None:
    """Refuses a data_dir that is named and not there."""
    if data_dir is not None and not pathlib.Path(data_dir).is_dir():
        raise ValueError(
            f"data_dir={data_dir} is not a folder; name the one that holds "
            "TFDS's data sets, or make it, for TFDS to download to"
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
