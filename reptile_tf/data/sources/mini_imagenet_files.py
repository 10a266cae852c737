"""The files in which people have mini-ImageNet: csv, folders, zip, pickles."""

import csv
import io
import pathlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from reptile_tf.data.picture import (
    FORMATS,
    area_means,
    orientation,
    require_pixels,
    upright,
)
from reptile_tf.data.sources import plain_pickle
from reptile_tf.data.sources.picture_archives import (
    ARCHIVES,
    Pictures,
    open_pictures,
    read_bounded,
)

SIZE = 84  # height and width of an image

# Of files and folders, split by split.
_SPELLINGS = {
    "train": ("train",),
    "validation": ("val", "validation", "valid"),
    "test": ("test",),
}
_WORDNET_ID = re.compile(r"n\d{8}")
_JPEGS = ("L", "RGB")  # modes that TensorFlow decodes as Pillow does


class Example(NamedTuple):
    """A picture that is still where the user put it."""

    label: str
    pictures: Pictures
    name: str

    def encoded(self) -> bytes:
        """Returns the image of 84x84 as JPEG or PNG.

        Raises:
            ValueError: it cannot be decoded; names it.
        """
        content = self.pictures.read(self.name)
        return encode(content, f"{self.pictures.path}: {self.name}")


def find(
    folder: pathlib.Path, splits: Mapping[str, Sequence[str]]
) -> dict[str, list[Example]]:
    """Returns the examples of each split, by class; none where no file is.

    Args:
        folder: that the files are in.
        splits: split -> its classes.

    Raises:
        ValueError: a file is not what it should be, or has a class of another
            split.
    """
    return _Finder(folder, splits).find()


class _Finder:
    def __init__(
        self, folder: pathlib.Path, splits: Mapping[str, Sequence[str]]
    ):
        self._folder, self._splits = folder, splits
        self._opened: dict[str, Pictures | None] = {}

    def find(self) -> dict[str, list[Example]]:
        return {
            split: self._sorted(split, self._find(_SPELLINGS[split]))
            for split in self._splits
        }

    def _find(self, spellings: Sequence[str]) -> Sequence[Example]:
        own = [name + end for name in spellings for end in ("", *ARCHIVES)]
        table = self._first(f"{name}.csv" for name in spellings)
        if table:
            shared = [f"images{end}" for end in ("", *ARCHIVES)]
            found = self._listed(table, [*shared, *own])
        else:
            found = self._in_class_folders(own)
        cache = self._first(f"mini-imagenet-cache-{s}.pkl" for s in spellings)
        if cache and not found:
            found = _Cache(cache).examples()
        return found

    def _first(self, names: Iterable[str]) -> pathlib.Path | None:
        paths = (self._folder / name for name in names)
        return next(filter(pathlib.Path.is_file, paths), None)

    def _open(self, names: Iterable[str]) -> Iterator[Pictures]:
        for name in names:
            if name not in self._opened:
                self._opened[name] = open_pictures(self._folder / name)
            pictures = self._opened[name]
            if pictures:
                yield pictures

    def _listed(
        self, table: pathlib.Path, names: Sequence[str]
    ) -> list[Example]:
        """Returns the pictures that a csv file lists, in its order."""
        rows = _rows(table)
        found: dict[int, Example] = {}
        for pictures in self._open(names):
            for number, (filename, label) in enumerate(rows):
                name = _find_listed(pictures, filename, label)
                if name and number not in found:
                    found[number] = Example(label, pictures, name)
            if len(found) == len(rows):
                break
        return [found[number] for number in sorted(found)]

    def _in_class_folders(self, names: Sequence[str]) -> list[Example]:
        """Returns the pictures of the first folder or archive that has any."""
        for pictures in self._open(names):
            found = []
            for name in pictures.names:
                label = _class_folder(name)
                if label is None:
                    raise ValueError(
                        f"{pictures.path}: {name} is in no class folder; class "
                        "folders are named by WordNet ids, such as n01532829"
                    )
                found.append(Example(label, pictures, name))
            if found:
                return found
        return []

    def _sorted(self, split: str, found: Sequence[Example]) -> list[Example]:
        """Sorts by class, and refuses the classes of other splits."""
        order = {name: i for i, name in enumerate(self._splits[split])}
        for label, pictures, _ in found:
            if label not in order:
                others = [s for s in self._splits if label in self._splits[s]]
                whose = f"of {others[0]}" if others else "not of mini-ImageNet"
                raise ValueError(
                    f"{pictures.path} has pictures of {label} for {split}; "
                    f"that class is {whose}, by Ravi and Larochelle's split"
                )
        return sorted(found, key=lambda example: order[example.label])


class _Cache(Pictures):
    """A pickle of the images and of their rows by class."""

    def __init__(self, path: pathlib.Path):
        super().__init__(path, [])
        # Only looked at now: 800 MB, which are read again when wanted.
        self._images: Any = None

    def examples(self) -> list[Example]:
        images, classes = self._load()
        found = [
            Example(label, self, str(row))
            for label, rows in classes.items()
            for row in rows
        ]
        rows = {name for _, _, name in found}
        if len(rows) < len(found) or not rows <= set(
            map(str, range(len(images)))
        ):
            raise ValueError(
                f"{self.path}: class_dict must list rows of image_data, of "
                f"which there are {len(images)}, and none twice"
            )
        return found

    def _load(self) -> tuple[np.ndarray, dict[str, Any]]:
        content = plain_pickle.load(self.path)
        images = classes = None
        if isinstance(content, dict):
            images = content.get("image_data")
            classes = content.get("class_dict")
        if (
            not isinstance(images, np.ndarray)
            or images.dtype != np.uint8
            or images.shape[1:] != (SIZE, SIZE, 3)
            or not isinstance(classes, dict)
            or not all(isinstance(r, list | tuple) for r in classes.values())
        ):
            raise ValueError(
                f"{self.path} must hold a dict with image_data, uint8 [n, 84, "
                "84, 3], and class_dict, with a list of rows for each class"
            )
        return images, classes

    def _read(self, name: str) -> np.ndarray:
        if self._images is None:
            self._images, _ = self._load()
        return self._images[int(name)]


def encode(content: bytes | np.ndarray, name: str) -> bytes:
    """Returns a picture as the JPEG or PNG bytes of an image of 84x84.

    A JPEG file of that size that is upright is kept as it is. Others are turned
    and made opaque as `reptile_tf.data.picture` does it, and squashed: a pixel
    is the mean of the area that it covers.

    Args:
        content: of the file, or the image itself.
        name: of the picture, for the error.

    Raises:
        ValueError: it cannot be decoded.
    """
    if isinstance(content, np.ndarray):
        return _png(Image.fromarray(content))
    try:
        with warnings.catch_warnings():
            # Odd notes of a camera in a picture are no news.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                require_pixels(image)
                fits = image.size == (SIZE, SIZE)
                plain = image.format == "JPEG" and image.mode in _JPEGS
                if fits and plain and orientation(image) in (None, 1):
                    # Whoever reads it will decode it by TensorFlow.
                    tf.io.decode_jpeg(content, channels=3)
                    return content
                colours = upright(image, 3)
        if not fits:
            colours = Image.fromarray(area_means(colours, SIZE, SIZE))
        return _png(colours)
    # Decoders fail in many ways on what is no picture.
    except Exception as error:
        raise ValueError(f"{name} cannot be decoded: {error}") from error


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _rows(table: pathlib.Path) -> list[tuple[str, str]]:
    """Returns the (filename, label) pairs of a csv file."""
    try:
        with table.open("rb") as file:
            text = read_bounded(file, table).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
        pairs = [(r["filename"].strip(), r["label"].strip()) for r in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} cannot be read: {error}") from error
    except (KeyError, AttributeError) as error:
        raise ValueError(
            f"{table} must have the header filename,label and both in each row"
        ) from error
    if len(set(pairs)) < len(pairs):
        twice = next(pair for pair in pairs if pairs.count(pair) > 1)
        raise ValueError(f"{table} lists {twice[0]} of {twice[1]} twice")
    return pairs


def _find_listed(pictures: Pictures, filename: str, label: str) -> str | None:
    """Returns the name of the picture that a csv file lists, if it is there.

    It may lie in any folder but another class's.
    """
    names = [
        name
        for name in pictures.by_file.get(filename.split("/")[-1], [])
        if _class_folder(name) in (None, label)
    ]
    if len(names) > 1:
        raise ValueError(
            f"{pictures.path} has {filename} of {label} twice: {names[0]} and "
            f"{names[1]}"
        )
    return names[0] if names else None


def _class_folder(name: str) -> str | None:
    """Returns the class of a picture that lies in a class folder."""
    folders = name.split("/")[:-1]
    return next(filter(_WORDNET_ID.fullmatch, folders), None)
