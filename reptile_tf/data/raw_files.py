"""The cache of decoded data sets: raw files that are mapped, not read.

NAME-KEY.raw holds the examples' bytes, sorted by class, and NAME-KEY.json what
they are. Each is written whole or not at all, the second after the first, so
that a data set is there once its JSON file is; NAME-KEY.lock keeps two from
writing at once. They can be deleted at any time that no training uses them.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.utils.files import whole_file, write_json

# Bump when what is written for a key changes.
_FORMAT = 2


def cache_folder() -> pathlib.Path:
    """Returns where decoded data sets are kept.

    `$REPTILE_TF_CACHE`, else `reptile_tf` in the user's cache folder.
    """
    default = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(
        os.environ.get("REPTILE_TF_CACHE")
        or pathlib.Path(default, "reptile_tf")
    )


def load_or_write(
    name: str,
    key: Any,
    shape: Sequence[int],
    labels: Callable[[], tuple[np.ndarray, Sequence[str]]],
    fill: Callable[[np.ndarray], dict[str, Any]],
    dtype: str = "uint8",
) -> tuple[LabelledExamples, dict[str, Any]]:
    """Returns a data set of the cache, which is written if it is not there.

    Args:
        name: of the data set, the beginning of the files' names.
        key: all that the examples depend on, as JSON can hold it.
        shape: of an example.
        labels: called if the data set is not there; returns the class numbers
            of all examples, sorted, int `[n]`, and the classes' names.
        fill: called with the examples to write, `[n, *shape]`; returns what
            else is to be known of the data set, as JSON can hold it. Under
            "unreadable" it may list rows that are to be left out.
        dtype: of an example.

    Returns:
        (classes, info): the examples, and what `fill` returned.

    Raises:
        ValueError: the cache's folder cannot be written to, or has no room.
    """
    known = json.dumps([_FORMAT, key, list(shape), dtype])
    digest = hashlib.sha256(known.encode()).hexdigest()
    path = cache_folder() / f"{name}-{digest[:12]}.raw"
    try:
        return _read(path, shape, dtype)
    except (OSError, ValueError, KeyError):
        pass  # it is not there, or not whole
    numbers, names = labels()
    rows = _Rows(path, len(numbers), shape, dtype)
    try:
        with _alone(path):
            with contextlib.suppress(OSError, ValueError, KeyError):
                return _read(path, shape, dtype)  # another one wrote it
            _write(path, rows, numbers, names, fill)
    except OSError as error:
        raise ValueError(
            f"the cache folder {path.parent} cannot hold {name}: {error}. "
            "Set REPTILE_TF_CACHE to a folder with "
            f"{rows.size(len(numbers)) / 1e6:,.0f} MB of room"
        ) from error
    return _read(path, shape, dtype)


def _read(
    path: pathlib.Path, shape: Sequence[int], dtype: str
) -> tuple[LabelledExamples, dict[str, Any]]:
    content = json.loads(path.with_suffix(".json").read_text())
    classes = LabelledExamples.from_file(
        path, dtype, shape, content["offsets"], content["names"]
    )
    return classes, content["info"]


@contextlib.contextmanager
def _alone(path: pathlib.Path) -> Iterator[None]:
    """Keeps others, of this process too, from writing the same data set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in path.parent.glob(f".part-*-{path.stem}.*"):
            left.unlink(missing_ok=True)  # of one that was killed
        yield


def _write(path, rows, numbers, names, fill) -> None:
    """Writes both files of a data set."""
    info = rows.write(fill)
    numbers = np.delete(numbers, info.get("unreadable", []))
    found, starts = np.unique(numbers, return_index=True)
    write_json(
        path.with_suffix(".json"),
        {
            "names": [names[c] for c in found],
            "offsets": [*starts.tolist(), len(numbers)],
            "info": info,
        },
    )


class _Rows:
    """A raw file that is about to be written."""

    def __init__(
        self, path: pathlib.Path, count: int, shape: Sequence[int], dtype: str
    ):
        self._path, self._count = path, count
        self._shape, self._dtype = tuple(shape), np.dtype(dtype)

    def size(self, count: int) -> int:
        """Returns the bytes of `count` examples."""
        return count * int(np.prod(self._shape)) * self._dtype.itemsize

    def write(
        self, fill: Callable[[np.ndarray], dict[str, Any]]
    ) -> dict[str, Any]:
        """Lets `fill` write the examples; leaves out the unreadable ones."""
        with whole_file(self._path) as part:
            with part.open("wb") as file:
                # The room is taken now: a mapped page for which there is none
                # later would kill the process.
                os.posix_fallocate(file.fileno(), 0, self.size(self._count))
            shape = (self._count, *self._shape)
            rows = np.memmap(part, self._dtype, "r+", shape=shape)
            info = fill(rows)
            unreadable = info.get("unreadable", [])
            if len(unreadable) == self._count:
                raise ValueError(f"none of {self._count:,} files can be read")
            if unreadable:
                kept = np.delete(np.arange(self._count), unreadable)
                for to, row in enumerate(kept):
                    rows[to] = rows[row]
            rows.flush()
            del rows
            os.truncate(part, self.size(self._count - len(unreadable)))
        return info
