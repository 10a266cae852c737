"""Image-classification sets of TensorFlow Datasets, pooled and in memory."""

import hashlib
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from reptile_tf.data.classes import ClassImages
from reptile_tf.data.images import nearest
from reptile_tf.utils.files import whole_file

# Bump when what is computed from a data set changes.
_CONVERSION = 1


def cache_folder() -> pathlib.Path:
    """Returns where converted data sets are kept.

    `$REPTILE_TF_CACHE`, else `reptile_tf` in the user's cache folder.
    """
    default = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(
        os.environ.get("REPTILE_TF_CACHE")
        or pathlib.Path(default, "reptile_tf")
    )


def load(
    builder: tfds.core.DatasetBuilder,
    splits: Sequence[str],
    size: int | None = None,
    convert: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> ClassImages:
    """Reads splits of a prepared data set into one, classes in label order.

    Each split is cached, keyed by the data set's name, version and files.

    Args:
        builder: a prepared `tfds.core.DatasetBuilder` with features "image"
            and "label".
        splits: names of the splits to pool.
        size: height and width to resize to, by nearest neighbour; the images'
            own, which must then be the same for all, if None.
        convert: applied to each image; changes need a new `_CONVERSION`.

    Raises:
        ValueError: files of the data set are missing, or its images have no
            common size.
    """
    _check_whole(builder, splits)
    parts = [_read(builder, split, size, convert) for split in splits]
    images, labels = zip(*parts, strict=True)
    return ClassImages.from_labels(
        np.concatenate(images), np.concatenate(labels)
    )


def _read(builder, split, size, convert):
    """Returns a split's images and labels, from the cache where they are."""
    info = f"{builder.info.as_json}{split}{size}{_CONVERSION}"
    digest = hashlib.sha256(info.encode()).hexdigest()[:12]
    name = builder.info.full_name.replace("/", "-")
    path = cache_folder() / f"{name}-{split}-{digest}.npz"
    if path.exists():
        with np.load(path) as arrays:
            return arrays["images"], arrays["labels"]
    if size is None and None in builder.info.features["image"].shape:
        raise ValueError(
            f"images of {builder.info.full_name} have no common size; give "
            "size, to resize them to one"
        )

    def example(features):
        image = features["image"]
        image = image if size is None else nearest(image, size, size)
        return convert(image), features["label"]

    wanted = tfds.decode.PartialDecoding({"image": True, "label": True})
    data = builder.as_dataset(split=split, decoders=wanted)
    # Batches, since a step from TensorFlow to Python takes as long as to
    # decode an image.
    data = data.map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(1000)
    try:
        batches = list(data.as_numpy_iterator())
    except (tf.errors.DataLossError, tf.errors.FailedPreconditionError):
        batches = []
    if not batches:
        raise ValueError(
            f"data_dir={builder.data_dir} is half-written: {split} ends before "
            "its last example; remove the folder and prepare it again"
        )
    images, labels = map(np.concatenate, zip(*batches, strict=True))
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, images=images, labels=labels)
    return images, labels


def load_split(
    builder: tfds.core.DatasetBuilder, seed: int, size: int | None = None
) -> tuple[ClassImages, ClassImages]:
    """Prepares and reads a data set; splits it by class, four fifths to train.

    Args:
        builder: a `tfds.core.DatasetBuilder` of labelled images. All its
            splits are pooled, since theirs are by image.
        seed: of the shuffle of the classes.
        size: as in `load`.
    """
    builder.download_and_prepare()
    classes = load(builder, sorted(builder.info.splits), size)
    return classes.split(classes.num_classes * 4 // 5, seed)


def load_named(
    name: str, data_dir: str | os.PathLike | None, seed: int
) -> tuple[ClassImages, ClassImages]:
    """As `load_split`, for any image-classification set of TFDS by name.

    Images without a common size are resized to 84x84.

    Args:
        name: of the data set, as TFDS knows it, such as "cifar100".
        data_dir: TFDS's data_dir; TFDS's default if None.
        seed: of the shuffle of the classes.

    Raises:
        ValueError: TFDS has no such data set, or it is not labelled images.
    """
    require_folder(data_dir)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"dataset=tfds:{name} is not a data set of TensorFlow Datasets, "
            f"and not in data_dir={data_dir}"
        ) from error
    features = builder.info.features
    named = dict(getattr(features, "items", dict)())
    if not (
        isinstance(named.get("image"), tfds.features.Image)
        and isinstance(named.get("label"), tfds.features.ClassLabel)
    ):
        raise ValueError(
            f"dataset=tfds:{name} must have the features 'image' and 'label' "
            f"of image classification; it has {features}"
        )
    fixed = None not in named["image"].shape
    return load_split(builder, seed, None if fixed else 84)


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
