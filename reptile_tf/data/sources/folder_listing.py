"""What a folder of pictures holds, before any of them is decoded."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping, Sized

from reptile_tf.data import visible_files
from reptile_tf.data.image_files import SUFFIXES
from reptile_tf.data.sources import label_table
from reptile_tf.data.visible_files import some_of
from reptile_tf.utils.paths import of_pictures

Classes = dict[str, list[pathlib.Path]]  # class name -> its pictures

# How people name the folders of the splits, in small letters.
_SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}
_SPLITS = {name: split for split, names in _SPELLINGS.items() for name in names}


@dataclasses.dataclass(frozen=True)
class Listing:
    """The pictures of a folder.

    Attributes:
        splits: of "train", "validation" and "test" those that there are, or
            "all" alone where the folder does not divide its classes -> class
            name -> the paths of its pictures, sorted.
        ignored: the number of files that are no pictures; hidden files are not
            counted.
        unused: the number of pictures without a class: beside the class
            folders, or not in the table.
    """

    splits: dict[str, Classes]
    ignored: int = 0
    unused: int = 0


def scan(
    folder: str | os.PathLike,
    *,
    csv: str | os.PathLike | None = None,
    csv_columns: str | None = None,
    merge_splits: bool = False,
) -> Listing:
    """Returns what a folder holds; only names are read.

    It has a folder for each class, in which pictures lie at any depth; or
    folders for training, validation and test, with class folders in each; or
    pictures alone, which a table says the classes of. Symbolic links are
    followed, and hidden files and folders are left alone.

    Args:
        folder: its path.
        csv: path of the table, if there is one; see `label_table.read`.
        csv_columns: the names of its two columns, if they are not
            filename,label.
        merge_splits: whether to pool the classes of training, validation and
            test folders.

    Raises:
        ValueError: the folder is laid out in another way; the message says
            what would do.
    """
    root = of_pictures("folder", folder)
    told = f"folder:{root}"
    if not root.is_dir():
        state = "is a file, not a folder" if root.exists() else "does not exist"
        raise ValueError(
            f"{told} {state}; say where your pictures are, as folder:PATH"
        )
    if csv is not None and merge_splits:
        raise ValueError(
            f"merge_splits has no use with csv={csv}: a table has no splits"
        )
    if csv is not None:
        pictures, ignored = visible_files.survey(root, SUFFIXES)
        classes = label_table.read(csv, csv_columns, root, pictures)
        used = {path for paths in classes.values() for path in paths}
        unused = len(set(pictures) - used)
        return Listing({"all": classes}, ignored, unused)
    if csv_columns is not None:
        raise ValueError(
            f"csv_columns={csv_columns} has no use without csv, the table with "
            "these columns"
        )
    scanner = _Scanner()
    splits = scanner.splits(root, told, merge_splits)
    return Listing(splits, scanner.ignored, scanner.unused)


class _Scanner:
    """Looks into folders; counts what it leaves aside."""

    def __init__(self) -> None:
        self.ignored = self.unused = 0

    def splits(
        self, root: pathlib.Path, told: str, merge: bool
    ) -> dict[str, Classes]:
        """Returns split -> class name -> pictures."""
        folders, files = visible_files.inside(root)
        found = _split_folders(folders, told)
        if not found:
            return {"all": self._classes(root, told)}
        self._leave_aside(files)
        splits = {
            split: self._classes(folder, f"{told}/{folder.name}")
            for split, folder in found.items()
        }
        if merge:
            return {"all": _pooled(splits.values())}
        if len(found) == 1:
            [only] = found.values()
            raise ValueError(
                f"{told} has {only.name} alone, and no other split; use "
                f"{told}/{only.name}, whose classes are then divided"
            )
        _require_split_of_classes(
            {found[split].name: splits[split] for split in found}, told
        )
        return splits

    def _classes(self, place: pathlib.Path, told: str) -> Classes:
        """Returns class name -> pictures, of a folder of class folders."""
        folders, files = visible_files.inside(place)
        loose, classes = self._leave_aside(files), {}
        for folder in folders:
            pictures, others = visible_files.survey(folder, SUFFIXES)
            classes[folder.name] = pictures
            self.ignored += others
        if not any(classes.values()):
            raise ValueError(
                f"{told} has {loose:,} pictures, but no class folders: put the "
                "pictures of each class into a folder of its own, or say what "
                "they are in a table, with --csv"
                if loose
                else f"{told} holds no picture; pictures end in "
                f"{', '.join(SUFFIXES)}"
            )
        empty = [name for name, pictures in classes.items() if not pictures]
        if empty:
            raise ValueError(
                f"{told} has {len(empty):,} class folders without a picture: "
                f"{some_of(empty)}; remove them, or fill them with pictures, "
                f"which end in {', '.join(SUFFIXES)}"
            )
        if len(folders) == 1:
            [only] = folders
            inner, _ = visible_files.inside(only)
            if len(inner) > 1:
                raise ValueError(
                    f"{told} has one folder alone, {only.name}, which would be "
                    f"one class; if {some_of(p.name for p in inner)} are the "
                    f"classes, use {told}/{only.name}"
                )
        return classes

    def _leave_aside(self, files: Iterable[pathlib.Path]) -> int:
        """Counts files beside class folders; returns how many are pictures."""
        pictures = [path.name.lower().endswith(SUFFIXES) for path in files]
        self.unused += sum(pictures)
        self.ignored += len(pictures) - sum(pictures)
        return sum(pictures)


def _split_folders(
    folders: Iterable[pathlib.Path], told: str
) -> dict[str, pathlib.Path]:
    """Returns split -> its folder; nothing if the folders are of classes."""
    named: dict[str, list[pathlib.Path]] = {split: [] for split in _SPELLINGS}
    others: list[pathlib.Path] = []
    for folder in folders:
        split = _SPLITS.get(folder.name.casefold())
        (named[split] if split else others).append(folder)
    found = [folder for places in named.values() for folder in places]
    if others and len(found) == 1 and not visible_files.inside(found[0])[0]:
        return {}  # a class among others that is called "train"
    if others and found:
        raise ValueError(
            f"{told} has folders for splits, "
            f"{some_of(p.name for p in found)}, and others, "
            f"{some_of(p.name for p in others)}: there must be folders for "
            "splits alone, with class folders in each, or for classes alone"
        )
    for split, places in named.items():
        if len(places) > 1:
            raise ValueError(
                f"{told} has {len(places)} folders for the {split} classes, "
                f"{some_of(p.name for p in places)}; there must be one"
            )
    return {split: places[0] for split, places in named.items() if places}


def _pooled(splits: Iterable[Classes]) -> Classes:
    pooled: Classes = {}
    for classes in splits:
        for name, paths in classes.items():
            pooled.setdefault(name, []).extend(paths)
    return {name: sorted(pooled[name]) for name in sorted(pooled)}


def _require_split_of_classes(splits: Mapping[str, Classes], told: str) -> None:
    """Refuses splits that have classes in common."""
    counts: dict[str, int] = {}
    for classes in splits.values():
        for name in classes:
            counts[name] = counts.get(name, 0) + 1
    shared = sorted(name for name, count in counts.items() if count > 1)
    if shared:
        largest = max(splits, key=lambda name: len(splits[name]))
        raise ValueError(
            f"{told} is a split of pictures, not of classes, which meta-"
            f"learning needs: {len(shared):,} of {len(counts):,} classes are "
            f"in more than one of {', '.join(splits)} ({some_of(shared)}). Use "
            f"one of the folders, dataset={told}/{largest}, or --merge_splits, "
            "which pools them; the classes are then divided"
        )


def require_enough(
    classes: Mapping[str, Sized],
    ways: int,
    shots: int,
    query_shots: int,
    split: str,
) -> None:
    """Refuses classes that are too few or too small for tasks.

    Args:
        classes: class name -> its pictures, of one split.
        ways: N, the classes of a task.
        shots: K, the support pictures of each class: training_shots for the
            training classes, shots for others.
        query_shots: the query pictures of each class.
        split: "train", "validation" or "test".

    Raises:
        ValueError: names the settings to change, and what would do.
    """
    if len(classes) < ways:
        remedy = "add classes"
        if len(classes) > 1:
            remedy += f", or use ways={len(classes)} at most"
        raise ValueError(
            f"ways={ways} is more than the {len(classes):,} {split} classes "
            f"that there are; {remedy}"
        )
    sizes = {name: len(pictures) for name, pictures in classes.items()}
    wanted, least = shots + query_shots, min(sizes.values())
    if least >= wanted:
        return
    training = split == "train"
    name = "training_shots" if training else "shots"
    query = "query_shots" if training else "the query set"
    small = sorted((size, n) for n, size in sizes.items() if size < wanted)
    remedy = "add pictures to them"
    if least > query_shots:
        remedy += f", or use {name}={least - query_shots} at most"
    elif training:
        remedy += f", or use {name} and {query} of {least} together at most"
    left = len(sizes) - len(small)
    if left >= ways:
        remedy += f", or remove them, which leaves {left:,}"
    raise ValueError(
        f"{name}={shots} and {query_shots} for {query} are {wanted} pictures "
        f"of each class; {len(small):,} of the {len(sizes):,} {split} classes "
        f"have fewer: {some_of(f'{n} ({size})' for size, n in small)}; {remedy}"
    )


def duplicates_across(
    splits: Mapping[str, Iterable[tuple[pathlib.Path, int]]],
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """Returns pictures of one split that another split has too.

    Args:
        splits: split -> the path and the digest of each of its pictures; those
            with digest 0 could not be read.

    Returns:
        Pairs of paths: for each picture that an earlier split has too, the
        first such picture there, and itself.
    """
    earlier: dict[int, pathlib.Path] = {}
    pairs = []
    for pictures in splits.values():
        own: dict[int, pathlib.Path] = {}
        for path, digest in pictures:
            if digest in earlier:
                pairs.append((earlier[digest], path))
            elif digest:
                own.setdefault(digest, path)
        earlier |= own
    return pairs
