"""A user's own pictures: files in folders, as arrays a model takes."""

import collections
import hashlib
import os
import pathlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from reptile_tf.data import visible_files
from reptile_tf.data.picture import (
    UnreadablePictureError,
    decode,
    decode_in_thread,
    without_warnings,
)
from reptile_tf.data.preparation import Preparation
from reptile_tf.utils import machine
from reptile_tf.utils.bars import Bar
from reptile_tf.utils.paths import local

__all__ = [
    "SUFFIXES",
    "UnreadablePictureError",
    "decode",
    "decode_all",
    "find",
    "find_all",
    "load",
]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")

# Pictures that wait for a core: so many that a huge one does not hold up the
# others, and so few that they take no memory.
_WAITING = 64


def find(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the pictures in a folder and its folders, sorted by path.

    Symbolic links are followed. What is hidden, by a dot before its name, is
    left alone.

    Raises:
        ValueError: there is no such folder, or no picture in it.
    """
    folder = local("folder", folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    pictures, _ = visible_files.survey(folder, SUFFIXES)
    if not pictures:
        raise ValueError(
            f"{folder} holds no picture; pictures end in {', '.join(SUFFIXES)}"
        )
    return pictures


def find_all(places: Iterable[str | os.PathLike]) -> list[pathlib.Path]:
    """Returns the pictures that are named, or lie in folders that are.

    Args:
        places: paths of pictures and of folders.

    Raises:
        ValueError: one of them does not exist, or there is no picture.
    """
    found: list[pathlib.Path] = []
    for place in places:
        path = local("picture", place)
        if not path.exists():
            raise ValueError(f"{path} is neither a picture nor a folder")
        found += find(path) if path.is_dir() else [path]
    if not found:
        raise ValueError("name a picture at least, or a folder of pictures")
    return found


def load(
    paths: Iterable[str | os.PathLike], preparation: Preparation
) -> np.ndarray:
    """Returns pictures as uint8 `[n, height, width, channels]`.

    Args:
        paths: of the files.
        preparation: how they become arrays.

    Raises:
        UnreadablePictureError: a file is no picture that can be read.
    """
    paths = list(paths)
    rows = np.empty((len(paths), *preparation.shape), np.uint8)
    _, unreadable = decode_all(paths, preparation, rows, verbose=0)
    if unreadable:
        first, *others = unreadable.values()
        more = f" (and {len(others):,} more pictures)" if others else ""
        raise UnreadablePictureError(first + more)
    return rows


def decode_all(
    paths: Sequence[str | os.PathLike],
    preparation: Preparation,
    rows: np.ndarray,
    verbose: int = 1,
) -> tuple[np.ndarray, dict[int, str]]:
    """Decodes many pictures, on all cores.

    Args:
        paths: of the files.
        preparation: how they become arrays.
        rows: uint8 `[n, height, width, channels]` to write to, in memory or
            mapped; zeros are written for what cannot be read.
        verbose: 1 shows a progress bar.

    Returns:
        (digests, unreadable): uint64 `[n]`, equal where the pixels are, and 0
        for what cannot be read; and what is wrong with each picture that
        cannot be read, by its row.

    Raises:
        ValueError: `rows` does not fit the pictures.
    """
    if rows.shape != (len(paths), *preparation.shape) or rows.dtype != np.uint8:
        raise ValueError(
            f"rows must be uint8 {[len(paths), *preparation.shape]}; received "
            f"{rows.dtype} {list(rows.shape)}"
        )
    digests = np.zeros(len(paths), np.uint64)
    unreadable: dict[int, str] = {}

    def one(row: int, path: str | os.PathLike) -> None:
        try:
            pixels = decode_in_thread(path, preparation)
        except UnreadablePictureError as error:
            rows[row], unreadable[row] = 0, str(error)
            return
        rows[row] = pixels
        digest = hashlib.blake2b(pixels.tobytes(), digest_size=8).digest()
        digests[row] = int.from_bytes(digest, "little")

    cores, waiting = machine.cores(), collections.deque[Future]()
    with (
        Bar(len(paths), "picture", verbose) as bar,
        without_warnings(),
        ThreadPoolExecutor(cores) as pool,
    ):
        try:
            for row, path in enumerate(paths):
                waiting.append(pool.submit(one, row, path))
                if len(waiting) == _WAITING * cores:
                    waiting.popleft().result()
                    bar.show(row + 1 - len(waiting))
            while waiting:
                waiting.popleft().result()
                bar.show(len(paths) - len(waiting))
        except BaseException:  # Ctrl-C is no Exception
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return digests, dict(sorted(unreadable.items()))
