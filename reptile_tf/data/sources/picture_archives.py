"""Pictures by name: in a folder, or in a zip or tar archive.

Archives are read member by member; nothing is ever written under a name that
stands in one.
"""

import abc
import gzip
import os
import pathlib
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterable
from typing import IO, Any

import numpy as np

from reptile_tf.data import visible_files
from reptile_tf.data.image_files import SUFFIXES

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")

# No picture of ImageNet has a quarter of this; what has more is an attack.
_MOST_BYTES = 1 << 26
# Entries of a tar archive: Mini-ImageNet has 60,000 pictures.
_MOST_ENTRIES = 1 << 18
# Pictures are packed already: a .tar.gz unpacks to little more than it is.
_MOST_GROWTH, _ALWAYS = 10, 1 << 28
_METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_DAMAGES = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError),
    # Of zipfile: a password, or a compression that it does not know.
    RuntimeError,
)


class Pictures(abc.ABC):
    """A place with pictures.

    Attributes:
        path: of the place.
        names: of the pictures, sorted, with / between the folders.
        by_file: file name -> the names of the pictures that have it.
    """

    def __init__(self, path: pathlib.Path, names: Iterable[str]):
        self.path = path
        self.names = sorted(filter(_is_picture, names))
        self.by_file: dict[str, list[str]] = {}
        for name in self.names:
            self.by_file.setdefault(name.split("/")[-1], []).append(name)

    def read(self, name: str) -> bytes | np.ndarray:
        """Returns a picture's file, or its pixels.

        Raises:
            ValueError: it is damaged, or far too big; names it.
        """
        try:
            return self._read(name)
        except _DAMAGES as error:
            raise ValueError(
                f"{self.path}: {name} cannot be read: {error}"
            ) from error

    @abc.abstractmethod
    def _read(self, name: str) -> bytes | np.ndarray:
        """Returns what `read` does; may fail with any of `_DAMAGES`."""


def open_pictures(path: pathlib.Path) -> Pictures | None:
    """Returns the pictures of a folder or an archive, None if it is not there.

    Args:
        path: of the folder, or of the archive, ending as in `ARCHIVES`.

    Raises:
        ValueError: it cannot be read.
    """
    if path.is_dir():
        return _Folder(path)
    if not path.is_file():
        return None
    try:
        return _Zip(path) if path.suffix == ".zip" else _Tar(path)
    except _DAMAGES as error:
        raise ValueError(
            f"{path} is no archive that can be read: {error}"
        ) from error


def read_bounded(
    file: IO[bytes], where: object, size: int | None = None
) -> bytes:
    """Reads a file whole, unless it is absurdly big.

    Args:
        file: to read.
        where: it is, for the error.
        size: that it is said to have; asked of the system if None.

    Raises:
        ValueError: it has more than 64 MiB.
    """
    if size is None:
        size = os.fstat(file.fileno()).st_size
    _require_sane(size, where)
    return file.read(size)


class _Folder(Pictures):
    def __init__(self, path: pathlib.Path):
        found, _ = visible_files.survey(path, SUFFIXES)
        names = (file.relative_to(path).as_posix() for file in found)
        super().__init__(path, names)

    def _read(self, name: str) -> bytes:
        with (self.path / name).open("rb") as file:
            return read_bounded(file, self.path / name)


class _Zip(Pictures):
    def __init__(self, path: pathlib.Path):
        self._file = zipfile.ZipFile(path)
        super().__init__(path, self._file.namelist())

    def _read(self, name: str) -> bytes:
        entry, where = self._file.getinfo(name), f"{self.path}: {name}"
        if entry.compress_type not in _METHODS:  # unpacked all at once
            raise ValueError(
                f"{where} is packed by another method than zip's own, which "
                "may unpack to any size; pack it again by deflate"
            )
        with self._file.open(name) as file:
            return read_bounded(file, where, entry.file_size)


class _Bounded:
    """A file of which no more is read at once than a picture has.

    A header of a tar archive may say that its next one has gigabytes.
    """

    def __init__(self, file: Any, path: pathlib.Path):
        self._file, self._path = file, path
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        _require_sane(size, f"{self._path}: a header")
        return self._file.read(size)


class _Tar(Pictures):
    """A tar archive; its pictures are copied out if it is compressed.

    They are wanted in another order than the archive's.
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        # name -> place and size in the file that they are read from
        self._places: dict[str, tuple[int, int]] = {}
        self._file: IO[bytes] = path.open("rb")
        weakref.finalize(self, self._file.close)
        packed = self._file.read(2) == b"\x1f\x8b"
        if packed:
            self._file = tempfile.TemporaryFile()
            weakref.finalize(self, self._file.close)
        opened = gzip.open(path) if packed else path.open("rb")
        bounded: Any = _Bounded(opened, path)
        with opened, tarfile.open(fileobj=bounded, mode="r:") as archive:
            for number, member in enumerate(archive):
                if number == _MOST_ENTRIES:
                    raise ValueError(
                        f"{path} has more than {_MOST_ENTRIES:,} entries; pack "
                        "the pictures of mini-ImageNet alone"
                    )
                self._add(archive, member, packed)
        super().__init__(path, self._places)

    def _add(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, packed: bool
    ) -> None:
        where = f"{self.path}: {member.name}"
        _require_sane(member.size, where)
        stream = archive.extractfile(member) if member.isreg() else None
        if not stream or not _is_picture(member.name):
            return
        at = member.offset_data
        if packed:
            at = self._file.tell()
            most = max(_MOST_GROWTH * self.path.stat().st_size, _ALWAYS)
            if at + member.size > most:
                raise ValueError(
                    f"{where}: with those before it, the pictures have more "
                    f"than {most:,} bytes, far more than the archive; pictures "
                    "do not grow so when they are unpacked"
                )
            self._file.write(read_bounded(stream, where, member.size))
        self._places[member.name] = at, member.size

    def _read(self, name: str) -> bytes:
        at, size = self._places[name]
        self._file.seek(at)
        return self._file.read(size)


def _is_picture(name: str) -> bool:
    # What macOS and editors leave in folders is no picture.
    hidden = any(
        (part.startswith(".") and part.strip(".")) or part == "__MACOSX"
        for part in name.split("/")
    )
    return name.lower().endswith(SUFFIXES) and not hidden


def _require_sane(size: int, where: object) -> None:
    if size > _MOST_BYTES:
        raise ValueError(
            f"{where} has {size:,} bytes; a file of more than "
            f"{_MOST_BYTES:,} is not read"
        )
