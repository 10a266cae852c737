"""A folder of a user's own pictures as a data set."""

import os
import pathlib
import warnings
from collections.abc import Mapping

import numpy as np

from reptile_tf.data import image_files, raw_files
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.preparation import Preparation
from reptile_tf.data.sources import folder_division, folder_listing
from reptile_tf.data.sources.folder_listing import Classes
from reptile_tf.data.splits import ClassSplits
from reptile_tf.data.task_settings import TaskSettings
from reptile_tf.data.visible_files import some_of
from reptile_tf.utils.paths import of_pictures

# Bump when what is computed from a picture changes.
_CONVERSION = 1

# Files named in a message; there may be thousands.
_SHOWN = 10


def load(
    settings: TaskSettings, seed: int, data_dir: str | os.PathLike | None
) -> ClassSplits:
    """Returns the classes of a folder of pictures.

    Pictures are decoded once; the copy in the cache is keyed by their paths,
    sizes and times and by how they are prepared.

    Args:
        settings: `dataset` is "folder:" and the path; `csv`, `csv_columns`,
            `merge_splits`, `image_size`, `channels`, `resize`,
            `skip_unreadable` and `validation_classes` count too.
        seed: of the division of the classes, where the folder has none.
        data_dir: not used.

    Raises:
        ValueError: the folder is laid out in another way, its classes or
            pictures are too few for the tasks, or pictures cannot be read.
    """
    del data_dir
    folder = of_pictures("dataset", settings.dataset)
    listing = folder_listing.scan(
        folder,
        csv=settings.csv,
        csv_columns=settings.csv_columns,
        merge_splits=settings.merge_splits,
    )
    splits = folder_division.divide(listing.splits, seed, settings)
    folder_division.require_enough(splits, settings)
    pooled: Classes = {}
    for classes in splits.values():
        pooled |= classes
    preparation = Preparation(
        settings.image_size,
        settings.image_size,
        settings.channels,
        settings.resize,
    )
    examples, digests = _decoded(
        folder, pooled, preparation, settings.skip_unreadable
    )
    _tell_of_others(folder, listing)
    _warn_of_copies(splits, digests)
    place = {name: c for c, name in enumerate(examples.names)}
    left = {
        split: {
            n: range(examples.sizes[place[n]]) for n in classes if n in place
        }
        for split, classes in splits.items()
    }
    folder_division.require_enough(left, settings)  # of what could be read
    parts = {
        split: examples.subset([place[n] for n in classes if n in place])
        for split, classes in splits.items()
    }
    return ClassSplits(parts["train"], parts.get("validation"), parts["test"])


def load_all(
    folder: str | os.PathLike,
    preparation: Preparation,
    *,
    csv: str | None = None,
    csv_columns: str | None = None,
    skip_unreadable: bool = False,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Reads a small folder of class folders, a support set, into memory.

    Args:
        folder: its path.
        preparation: how a picture becomes an example.
        csv: as of `TaskSettings`.
        csv_columns: as of `TaskSettings`.
        skip_unreadable: as of `TaskSettings`.

    Returns:
        (pictures, labels, names): uint8 `[S, height, width, channels]`, the
        integers `[S]`, and the classes' names.

    Raises:
        ValueError: as of `support_classes`; or pictures cannot be read.
    """
    classes = support_classes(
        folder,
        csv=csv,
        csv_columns=csv_columns,
        skip_unreadable=skip_unreadable,
    )
    paths = [path for found in classes.values() for path in found]
    rows = np.empty((len(paths), *preparation.shape), np.uint8)
    _, unreadable = image_files.decode_all(paths, preparation, rows)
    _report(unreadable, skip=False)
    sizes = [len(found) for found in classes.values()]
    return rows, np.repeat(np.arange(len(classes)), sizes), list(classes)


def support_classes(
    folder: str | os.PathLike,
    *,
    csv: str | None = None,
    csv_columns: str | None = None,
    skip_unreadable: bool = False,
) -> Classes:
    """Returns class name -> pictures, of a support set.

    Args:
        folder: its path.
        csv: as of `TaskSettings`.
        csv_columns: as of `TaskSettings`.
        skip_unreadable: as of `TaskSettings`.

    Raises:
        ValueError: the folder is laid out in another way, or has a single
            class, or a class of which no picture can be read.
    """
    listing = folder_listing.scan(folder, csv=csv, csv_columns=csv_columns)
    classes = listing.splits.get("all")
    if classes is None or len(classes) < 2:
        raise ValueError(
            f"support=folder:{folder} must be a folder with a folder of "
            f"pictures for each class, at least two; found "
            f"{sorted(classes or listing.splits)}"
        )
    _tell_of_others(folder, listing)
    if not skip_unreadable:
        return classes
    paths = [path for found in classes.values() for path in found]
    tried = Preparation(1, 1, 3, "squash")
    rows = np.empty((len(paths), *tried.shape), np.uint8)
    _, unreadable = image_files.decode_all(paths, tried, rows)
    left_out = {paths[row] for row in unreadable}
    if left_out:
        print(f"{folder}: {_left_out(len(left_out))}", flush=True)
    classes = {
        name: [path for path in found if path not in left_out]
        for name, found in classes.items()
    }
    empty = [name for name, found in classes.items() if not found]
    if empty:
        raise ValueError(
            f"support=folder:{folder}: no picture can be read of the classes "
            f"{some_of(empty)}; remove these, or mend their pictures"
        )
    return classes


def _decoded(
    folder: pathlib.Path,
    classes: Classes,
    preparation: Preparation,
    skip_unreadable: bool,
) -> tuple[LabelledExamples, dict[pathlib.Path, int]]:
    """Returns all examples, from the cache where they are, and digests."""
    names = sorted(classes)
    paths = [path for name in names for path in classes[name]]
    sizes = [len(classes[name]) for name in names]
    stats = [path.stat() for path in paths]
    key = [
        _CONVERSION,
        preparation.as_dict(),
        skip_unreadable,
        [names, sizes],
        [
            # Also when it was made readable, which is no change of the file.
            [
                *(str(path.absolute()), stat.st_size),
                *(stat.st_mtime_ns, stat.st_ctime_ns),
            ]
            for path, stat in zip(paths, stats, strict=True)
        ],
    ]

    def known(info: dict) -> bool:
        numbers = info["unreadable"] + info["digests"]
        whole = len(info["digests"]) == len(paths)
        return whole and {*map(type, numbers)} == {int}

    def fill(rows: np.ndarray) -> dict:
        print(f"Decoding {len(paths):,} pictures of {folder}, once", flush=True)
        digests, unreadable = image_files.decode_all(paths, preparation, rows)
        _report(unreadable, skip_unreadable)
        return {
            "unreadable": sorted(unreadable),
            "digests": digests.tolist(),
        }

    examples, info = raw_files.load_or_write(
        f"folder-{_short(folder.absolute().name)}",
        key,
        preparation.shape,
        lambda: (np.repeat(np.arange(len(names)), sizes), names),
        fill,
        known=known,
    )
    if info["unreadable"]:
        print(f"{folder}: {_left_out(len(info['unreadable']))}")
    left_out = set(info["unreadable"])
    digests = {
        path: digest
        for row, (path, digest) in enumerate(
            zip(paths, info["digests"], strict=True)
        )
        if row not in left_out
    }
    return examples, digests


def _tell_of_others(
    folder: str | os.PathLike, listing: folder_listing.Listing
) -> None:
    if listing.ignored:
        print(f"{folder}: {listing.ignored:,} files are no pictures")
    if listing.unused:
        print(f"{folder}: {listing.unused:,} pictures are of no class")


def _left_out(count: int) -> str:
    return f"{count:,} pictures that cannot be read are left out"


def _short(name: str) -> str:
    # A file's name holds 255 bytes, and more is added to this one.
    return name.encode()[:60].decode(errors="ignore")


def _report(unreadable: Mapping[int, str], skip: bool) -> None:
    """Refuses pictures that cannot be read, or lets them be left out."""
    if not unreadable or skip:
        return
    messages = [unreadable[row] for row in sorted(unreadable)]
    more = len(messages) - _SHOWN
    raise ValueError(
        f"{len(messages):,} pictures cannot be read:\n  "
        + "\n  ".join(messages[:_SHOWN])
        + (f"\n  and {more:,} more" if more > 0 else "")
        + "\nMend or remove them, or leave them out with --skip_unreadable"
    )


def _warn_of_copies(
    splits: Mapping[str, Classes], digests: Mapping[pathlib.Path, int]
) -> None:
    """Warns of identical pictures in two splits."""
    if len(splits) < 2:
        return
    pairs = folder_listing.duplicates_across(
        {
            split: [
                (path, digests[path])
                for paths in classes.values()
                for path in paths
                if path in digests
            ]
            for split, classes in splits.items()
        }
    )
    if pairs:
        shown = [f"{one} and {other}" for one, other in pairs[:_SHOWN]]
        more = len(pairs) - len(shown)
        warnings.warn(
            f"{len(pairs):,} pairs of pictures in two splits are identical "
            "once they are prepared. If they are identical files, accuracies "
            "look better than they are:\n  "
            + "\n  ".join(shown)
            + (f"\n  and {more:,} more" if more else ""),
            stacklevel=2,
        )
