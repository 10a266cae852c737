"""A table that says what the pictures of a folder are."""

import csv
import io
import os
import pathlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from reptile_tf.data.image_files import SUFFIXES
from reptile_tf.data.visible_files import some_of
from reptile_tf.utils.paths import local

_COLUMNS = ("filename", "label")
_ENDINGS = (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))


def read(
    table: str | os.PathLike,
    columns: str | None,
    folder: pathlib.Path,
    pictures: Sequence[pathlib.Path],
) -> dict[str, list[pathlib.Path]]:
    """Returns class name -> pictures, of a table with a row for each picture.

    Its first row has the columns' names. A filename counts from the folder; it
    may lack the suffix, and the folder that it is in, if only one picture can
    be meant.

    Args:
        table: path of the table, UTF-8 with commas, tabs or semicolons between
            columns.
        columns: names of the columns of filenames and of labels, with a comma
            between; "filename,label" if None.
        folder: of the pictures.
        pictures: that lie there.

    Raises:
        ValueError: the table is not what it should be, or names pictures that
            are not there, or gives one picture two labels.
    """
    find = _Finder(table, folder, pictures).find
    labels: dict[pathlib.Path, str] = {}
    missing, twice = [], []
    for filename, label in _rows(table, _names(columns)):
        path = find(filename)
        if path is None:
            missing.append(filename)
        elif labels.setdefault(path, label) != label:
            twice.append(f"{filename} is {labels[path]} and {label}")
    if missing:
        raise ValueError(
            f"csv={table} names {len(missing):,} pictures that are not in "
            f"{folder}: {some_of(missing)}; remove their rows, or add them"
        )
    if twice:
        raise ValueError(
            f"csv={table} gives {len(twice):,} pictures two labels: "
            f"{some_of(twice)}; keep one row of each"
        )
    if not labels:
        raise ValueError(
            f"csv={table} has no rows; it must have one for each picture"
        )
    classes: dict[str, list[pathlib.Path]] = {
        name: [] for name in sorted(set(labels.values()))
    }
    for path in sorted(labels):
        classes[labels[path]].append(path)
    return classes


def _names(columns: str | None) -> tuple[str, str]:
    """Returns the names of the two columns."""
    if columns is None:
        return _COLUMNS
    names = [name.strip() for name in columns.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise ValueError(
            "csv_columns must be two names with a comma between, that of the "
            "filenames and that of the labels, such as FILE_NAME,CATEGORY; "
            f"received {columns!r}"
        )
    return names[0], names[1]


def _rows(
    table: str | os.PathLike, names: tuple[str, str]
) -> Iterator[tuple[str, str]]:
    """Yields the filename and the label of each row."""
    reader, header = _opened(table, names)
    places = [header.index(name) for name in names]
    try:
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            cells = [row[i].strip() if i < len(row) else "" for i in places]
            if not all(cells):
                raise ValueError(
                    f"csv={table}, line {reader.line_num}: there must be a "
                    f"{names[0]} and a {names[1]}; received {row}"
                )
            yield cells[0], cells[1]
    except csv.Error as error:
        raise ValueError(
            f"csv={table}, line {reader.line_num}: {error}"
        ) from error


def _opened(table: str | os.PathLike, names: Iterable[str]):
    """Returns a reader of the table, after its header, and the header."""
    path = local("csv", table)
    try:
        # Excel marks the beginning, which "-sig" takes off.
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise ValueError(
            f"csv={table} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"csv={table} must be text in UTF-8: {error}"
        ) from error
    longest: list[str] = []
    for delimiter in ",\t;":
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=delimiter,
            skipinitialspace=delimiter != "\t",
            strict=True,  # else a quote left open takes all that follows
        )
        try:
            filled = (row for row in reader if any(map(str.strip, row)))
            header = [cell.strip() for cell in next(filled, [])]
        except csv.Error:
            continue
        if set(names) <= set(header):
            return reader, header
        longest = max(longest, header, key=len)
    raise ValueError(
        f"csv={table} must have the columns {' and '.join(names)} in its first "
        f"row; it has {', '.join(longest) or 'none'}. If they are named "
        "otherwise, name the two with csv_columns"
    )


class _Finder:
    """Finds a picture by what a table calls it."""

    def __init__(
        self,
        table: str | os.PathLike,
        folder: pathlib.Path,
        pictures: Iterable[pathlib.Path],
    ):
        self._table, self._folder = table, folder
        self._paths: dict[str, pathlib.Path] = {}
        self._named: dict[str, list[pathlib.Path]] = {}
        for path in pictures:
            self._paths[_key(path.relative_to(folder).as_posix())] = path
            self._named.setdefault(_key(path.name), []).append(path)

    def find(self, filename: str) -> pathlib.Path | None:
        """Returns the picture, None if there is none.

        Raises:
            ValueError: there are several that may be meant.
        """
        key = _key(os.path.normpath(filename))
        if key in self._paths:
            return self._paths[key]
        keys = [key + ending for ending in _ENDINGS]
        found = [self._paths[k] for k in keys if k in self._paths]
        if not found and (self._folder / filename).is_file():
            return self._folder / filename  # elsewhere, or of another suffix
        if not found:
            found = [p for k in (key, *keys) for p in self._named.get(k, [])]
        if len(found) > 1:
            told = (path.relative_to(self._folder) for path in found)
            raise ValueError(
                f"csv={self._table}: {filename} may be any of "
                f"{some_of(told)}; write which one"
            )
        return found[0] if found else None


def _key(name: str) -> str:
    # macOS writes an accent as a character of its own.
    return unicodedata.normalize("NFC", name)
