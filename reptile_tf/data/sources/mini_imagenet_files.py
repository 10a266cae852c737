"""The files in which people have mini-ImageNet: csv, folders, zip, pickles.

Archives are read member by member; nothing is ever written under a name that
stands in one.
"""

import abc
import csv
import io
import os
import pathlib
import re
import tarfile
import tempfile
import warnings
import weakref
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from reptile_tf.data.image_files import SUFFIXES
from reptile_tf.data.sources import plain_pickle

SIZE = 84  # height and width of an image

_SPELLINGS = {
    "train": ("train",),
    "validation": ("val", "validation", "valid"),
    "test": ("test",),
}
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")  # that Pillow is asked for
_WORDNET_ID = re.compile(r"n\d{8}")
# No picture of ImageNet has a quarter of this; what has more is an attack.
_MOST_BYTES = 1 << 26
_DAMAGES = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError),
    # Of zipfile: a password, or a compression that it does not know.
    *(RuntimeError, NotImplementedError),
)


class Example(NamedTuple):
    """A picture that is still where the user put it."""

    label: str
    pictures: "_Pictures"
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
    return _Folder(folder, splits).find()


class _Folder:
    """Where the user's files lie, and what has been opened of them."""

    def __init__(
        self, folder: pathlib.Path, splits: Mapping[str, Sequence[str]]
    ):
        self._folder, self._splits = folder, splits
        self._opened: dict[pathlib.Path, _Pictures] = {}

    def find(self) -> dict[str, list[Example]]:
        return {split: self._find(split) for split in self._splits}

    def _find(self, split: str) -> list[Example]:
        own = [
            spelling + ending
            for spelling in _SPELLINGS[split]
            for ending in ("", *_ARCHIVES)
        ]
        for spelling in _SPELLINGS[split]:
            table = self._folder / f"{spelling}.csv"
            if table.is_file():
                shared = [f"images{ending}" for ending in ("", *_ARCHIVES)]
                found = self._listed(table, [*shared, *own])
                break
        else:
            found = self._in_class_folders(own)
        for spelling in _SPELLINGS[split]:
            path = self._folder / f"mini-imagenet-cache-{spelling}.pkl"
            if not found and path.is_file():
                cache = _Cache(path)
                found = [
                    Example(label, cache, row) for label, row in cache.rows
                ]
        return self._sorted(split, found)

    def _open(self, names: Iterable[str]) -> Iterator["_Pictures"]:
        for name in names:
            path = self._folder / name
            if path not in self._opened:
                if path.is_dir():
                    self._opened[path] = _Files(path)
                elif not path.is_file():
                    continue
                elif path.suffix == ".zip":
                    self._opened[path] = _Zip(path)
                else:
                    self._opened[path] = _Tar(path)
            yield self._opened[path]

    def _listed(
        self, table: pathlib.Path, names: Sequence[str]
    ) -> list[Example]:
        """Returns the pictures that a csv file lists, in its order."""
        rows = _rows(table)
        found: dict[int, Example] = {}
        for pictures in self._open(names):
            for number, (filename, label) in enumerate(rows):
                if number not in found:
                    name = pictures.find(filename, label)
                    if name:
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

    def _sorted(self, split: str, found: list[Example]) -> list[Example]:
        """Sorts by class, and refuses the classes of other splits."""
        order = {name: i for i, name in enumerate(self._splits[split])}
        for label, pictures, _ in found:
            if label not in order:
                others = [s for s in self._splits if label in self._splits[s]]
                whose = f"of {others[0]}" if others else "not of mini-ImageNet"
                raise ValueError(
                    f"{self._folder} has pictures of {label} for {split}, in "
                    f"{pictures.path}; that class is {whose}, by Ravi and "
                    "Larochelle's split"
                )
        return sorted(found, key=lambda example: order[example.label])


def _rows(table: pathlib.Path) -> list[tuple[str, str]]:
    """Returns the (filename, label) pairs of a csv file."""
    try:
        with table.open("rb") as file:
            text = _bounded(file, table).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
        pairs = [(row["filename"].strip(), row["label"].strip()) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} cannot be read: {error}") from error
    except (KeyError, AttributeError) as error:
        raise ValueError(
            f"{table} must have the header filename,label and both in each row"
        ) from error
    if len(set(pairs)) < len(pairs):
        twice = next(pair for pair in pairs if pairs.count(pair) > 1)
        raise ValueError(f"{table} lists {twice[0]} twice")
    return pairs


class _Pictures(abc.ABC):
    """A place with pictures, by name."""

    def __init__(self, path: pathlib.Path, names: Iterable[str]):
        self.path = path
        self.names = sorted(filter(_is_picture, names))
        self._by_file: dict[str, list[str]] = {}
        for name in self.names:
            self._by_file.setdefault(name.split("/")[-1], []).append(name)

    def find(self, filename: str, label: str) -> str | None:
        """Returns the name of the picture that a csv file lists, if any."""
        names = [
            name
            for name in self._by_file.get(filename.split("/")[-1], [])
            if _class_folder(name) in (None, label)
        ]
        if len(names) > 1:
            raise ValueError(
                f"{self.path} has {filename} of {label} twice: {names[0]} and "
                f"{names[1]}"
            )
        return names[0] if names else None

    def read(self, name: str) -> bytes | np.ndarray:
        try:
            return self._read(name)
        except (*_DAMAGES, KeyError) as error:
            raise ValueError(
                f"{self.path}: {name} cannot be read: {error}"
            ) from error

    @abc.abstractmethod
    def _read(self, name: str) -> bytes | np.ndarray: ...


class _Files(_Pictures):
    """A folder, with the folders in it."""

    def __init__(self, path: pathlib.Path):
        names = (p.relative_to(path).as_posix() for p in path.rglob("*"))
        super().__init__(path, names)

    def _read(self, name: str) -> bytes:
        with (self.path / name).open("rb") as file:
            return _bounded(file, self.path / name)


class _Zip(_Pictures):
    def __init__(self, path: pathlib.Path):
        try:
            self._file = zipfile.ZipFile(path)
        except _DAMAGES as error:
            raise _damaged(path, error) from error
        super().__init__(path, self._file.namelist())

    def _read(self, name: str) -> bytes:
        size = self._file.getinfo(name).file_size
        with self._file.open(name) as file:
            return _bounded(file, f"{self.path}: {name}", size)


class _Tar(_Pictures):
    """A tar archive; its pictures are copied out if it is compressed.

    They are wanted in another order than the archive's.
    """

    def __init__(self, path: pathlib.Path):
        self._places: dict[str, tuple[int, int]] = {}
        try:
            self._file = path.open("rb")
            packed = self._file.read(2) == b"\x1f\x8b"
            if packed:
                self._file.close()
                self._file = tempfile.TemporaryFile()
            weakref.finalize(self, self._file.close)
            with tarfile.open(path, "r:gz" if packed else "r:") as archive:
                for member in archive:
                    self._take(archive, member, path, packed)
        except _DAMAGES as error:
            raise _damaged(path, error) from error
        super().__init__(path, self._places)

    def _take(
        self,
        archive: tarfile.TarFile,
        member: tarfile.TarInfo,
        path: pathlib.Path,
        packed: bool,
    ) -> None:
        where = f"{path}: {member.name}"
        _require_sane(member.size, where)
        if not member.isreg() or member.issparse():
            return
        at = member.offset_data
        if packed and _is_picture(member.name):
            at = self._file.tell()
            stream = archive.extractfile(member)
            assert stream is not None  # it is a regular file
            self._file.write(_bounded(stream, where, member.size))
        self._places[member.name] = at, member.size

    def _read(self, name: str) -> bytes:
        at, size = self._places[name]
        self._file.seek(at)
        return _bounded(self._file, f"{self.path}: {name}", size)


class _Cache(_Pictures):
    """A pickle of the images and of their rows by class."""

    def __init__(self, path: pathlib.Path):
        super().__init__(path, [])
        self._images, classes = self._load()
        self.rows = [
            (label, str(row)) for label in classes for row in classes[label]
        ]
        rows = {row for _, row in self.rows}
        if len(rows) < len(self.rows) or not rows <= set(
            map(str, range(len(self._images)))
        ):
            raise ValueError(
                f"{path}: class_dict must list rows of image_data, of which "
                f"there are {len(self._images)}, and none twice"
            )
        self._images = None  # until they are wanted: 800 MB

    def _load(self) -> tuple[Any, dict[str, list]]:
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
        ):
            raise ValueError(
                f"{self.path} must be a dict with image_data, uint8 [n, 84, "
                "84, 3], and class_dict, which lists the rows of each class"
            )
        return images, classes

    def _read(self, name: str) -> np.ndarray:
        if self._images is None:
            self._images, _ = self._load()
        return self._images[int(name)]


def encode(content: bytes | np.ndarray, name: str) -> bytes:
    """Returns a picture as the JPEG or PNG bytes of an image of 84x84.

    A JPEG file of that size is kept as it is. Others are squashed by Pillow's
    box filter, which takes the mean of the area that a pixel covers.

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
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                fits = image.size == (SIZE, SIZE)
                if fits and image.format == "JPEG" and image.mode in ("L", "RGB"):
                    tf.io.decode_jpeg(content, channels=3)
                    return content
                image.load()
                colours = image.convert("RGB")
                if not fits:
                    box = Image.Resampling.BOX
                    colours = colours.resize((SIZE, SIZE), box)
                return _png(colours)
    # Decoders fail in many ways on what is no picture.
    except Exception as error:
        raise ValueError(f"{name} cannot be decoded: {error}") from error


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _is_picture(name: str) -> bool:
    hidden = any(
        part.startswith(".") and part.strip(".") or part == "__MACOSX"
        for part in name.split("/")
    )
    return name.lower().endswith(SUFFIXES) and not hidden


def _class_folder(name: str) -> str | None:
    """Returns the class of a picture that lies in a class folder."""
    folders = name.split("/")[:-1]
    return next(filter(_WORDNET_ID.fullmatch, folders), None)


def _damaged(path: pathlib.Path, error: BaseException) -> ValueError:
    return ValueError(f"{path} is no archive that can be read: {error}")


def _require_sane(size: int, where: object) -> None:
    if size > _MOST_BYTES:
        raise ValueError(
            f"{where} has {size:,} bytes; at most {_MOST_BYTES:,} are read"
        )


def _bounded(file: IO[bytes], where: object, size: int | None = None) -> bytes:
    if size is None:
        size = os.fstat(file.fileno()).st_size
    _require_sane(size, where)
    return file.read(size)
