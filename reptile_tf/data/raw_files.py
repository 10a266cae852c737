"""The cache of decoded data sets: raw files that are mapped, not read.

NAME-KEY.raw holds the examples' bytes, sorted by class, and NAME-KEY.json what
they are. Each is written whole or not at all, the second after the first, so
that a data set is there once its JSON file is; NAME-KEY.lock keeps two from
writing at once. They can be deleted at any time that no training uses them.
"""

import contextlib
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.utils import json_file, locks
from reptile_tf.utils.files import NotWrittenError, whole_file, write_json
from reptile_tf.utils.home import cache_folder

# Bump when what is written for a key changes.
_FORMAT = 2
# Of tens of millions of examples no more is told.
_MOST_ABOUT = 1 << 30


def load_or_write(
    name: str,
    key: Any,
    shape: Sequence[int],
    labels: Callable[[], tuple[np.ndarray, Sequence[str]]],
    fill: Callable[[np.ndarray], dict[str, Any]],
    dtype: str = "uint8",
    known: Callable[[dict[str, Any]], bool] = lambda info: True,
) -> tuple[LabelledExamples, dict[str, Any]]:
    """Returns a data set of the cache, which is written if it is not there.

    It is also written where what is there is cut, or nothing of ours.

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
        known: says whether what the cache holds may be what `fill` returned;
            may fail in every way if not.

    Returns:
        (classes, info): the examples, and what `fill` returned.

    Where the cache cannot be written, the examples are read into memory, and
    the log says so.

    Raises:
        ValueError: neither the cache nor the memory has room.
    """
    depends_on = json.dumps([_FORMAT, key, list(shape), dtype])
    digest = hashlib.sha256(depends_on.encode()).hexdigest()
    try:
        path = cache_folder() / f"{name}-{digest[:12]}.raw"
        if found := _found(path, shape, dtype, known):
            return found
    except NotWrittenError as error:  # there is no place for a cache
        numbers, names = labels()
        rows = _Rows(len(numbers), shape, dtype)
        return _in_memory(rows, numbers, names, fill, error)
    numbers, names = labels()
    rows = _Rows(len(numbers), shape, dtype)
    try:
        with locks.held(path.with_suffix(".lock"), patience=math.inf):
            for left in path.parent.glob(f".part-*-{path.stem}.*"):
                with contextlib.suppress(OSError):  # it may be a folder
                    left.unlink()  # of one that was killed
            if found := _found(path, shape, dtype, known):
                return found  # another one wrote it
            info = rows.write(path, fill)
            write_json(path.with_suffix(".json"), _about(info, numbers, names))
    except NotWrittenError as error:
        return _in_memory(rows, numbers, names, fill, error)
    return _read(path, shape, dtype)


def _found(
    path: pathlib.Path,
    shape: Sequence[int],
    dtype: str,
    known: Callable[[dict[str, Any]], bool],
) -> tuple[LabelledExamples, dict[str, Any]] | None:
    """Returns what the cache holds; None if that is cut, or not ours."""
    # Whatever is wrong with a file, it is made again.
    with contextlib.suppress(Exception):
        classes, info = _read(path, shape, dtype)
        if type(info) is dict and known(info):
            return classes, info
    return None


def _read(
    path: pathlib.Path, shape: Sequence[int], dtype: str
) -> tuple[LabelledExamples, dict[str, Any]]:
    content = json_file.read(path.with_suffix(".json"), _MOST_ABOUT)
    offsets, names = content["offsets"], content["names"]
    if {*map(type, offsets)} != {int} or {*map(type, names)} != {str}:
        raise TypeError
    classes = LabelledExamples.from_file(path, dtype, shape, offsets, names)
    return classes, content["info"]


def _in_memory(
    rows: "_Rows",
    numbers: np.ndarray,
    names: Sequence[str],
    fill: Callable[[np.ndarray], dict[str, Any]],
    reason: NotWrittenError,
) -> tuple[LabelledExamples, dict[str, Any]]:
    """Returns what the cache cannot hold, if the memory can."""
    remedy = (
        "REPTILE_TF_CACHE can name a folder with "
        f"{rows.size(len(numbers)) / 1e6:,.0f} MB of room"
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if rows.size(len(numbers)) > memory / 3:  # TensorFlow copies them once
        raise ValueError(
            f"the examples fit neither the cache nor the memory: {reason}; "
            f"{remedy}"
        ) from reason
    print(
        f"The examples are not kept in the cache, but read anew each time: "
        f"{reason}; {remedy}",
        flush=True,
    )
    examples, info = rows.make(fill)
    about = _about(info, numbers, names)
    return LabelledExamples(examples, about["offsets"], about["names"]), info


def _about(
    info: dict[str, Any], numbers: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Returns what a data set's JSON file says."""
    numbers = np.delete(numbers, info.get("unreadable", []))
    found, starts = np.unique(numbers, return_index=True)
    return {
        "names": [names[c] for c in found],
        "offsets": [*starts.tolist(), len(numbers)],
        "info": info,
    }


class _Rows:
    """Examples that are about to be written, or made."""

    def __init__(self, count: int, shape: Sequence[int], dtype: str):
        self._shape, self._dtype = (count, *shape), np.dtype(dtype)

    def size(self, count: int) -> int:
        """Returns the bytes of `count` examples."""
        return count * int(np.prod(self._shape[1:])) * self._dtype.itemsize

    def write(
        self,
        path: pathlib.Path,
        fill: Callable[[np.ndarray], dict[str, Any]],
    ) -> dict[str, Any]:
        """Lets `fill` write the examples; leaves out the unreadable ones."""
        with whole_file(path) as part:
            with part.open("wb") as file:
                # The room is taken now: a mapped page for which there is none
                # later would kill the process.
                size = self.size(self._shape[0])
                os.posix_fallocate(file.fileno(), 0, size)
            rows = np.memmap(part, self._dtype, "r+", shape=self._shape)
            info = fill(rows)
            kept = _moved_up(rows, info)
            rows.flush()
            del rows
            os.truncate(part, self.size(kept))
        return info

    def make(
        self, fill: Callable[[np.ndarray], dict[str, Any]]
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Returns the examples that `fill` writes, without unreadable ones."""
        rows = np.zeros(self._shape, self._dtype)
        info = fill(rows)
        return rows[: _moved_up(rows, info)], info


def _moved_up(rows: np.ndarray, info: dict[str, Any]) -> int:
    """Moves rows to where unreadable ones are; returns how many are left."""
    unreadable = info.get("unreadable", [])
    if len(unreadable) == len(rows):
        raise ValueError(f"none of {len(rows):,} files can be read")
    kept = np.delete(np.arange(len(rows)), unreadable)
    for to, row in enumerate(kept if unreadable else ()):
        rows[to] = rows[row]
    return len(kept)
