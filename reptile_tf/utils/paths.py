"""Paths as users give them: each is a place on this machine, or is refused.

The functions that take (name, path) are given the name of the argument or flag,
for the refusal. `reptile_tf.cli.flags.define_path` makes flags of them.
"""

import os
import pathlib
import re

_Path = str | os.PathLike

# Of a pathlib.Path, too, which has lost one of a URL's slashes.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
# What TFDS reads and writes, by libraries that it asks for itself.
_OF_TFDS = re.compile("(gs|s3|az)://")


class PathError(ValueError):
    """A path is no place on this machine."""


def local(name: str, path: _Path, before: str = "") -> pathlib.Path:
    """Returns a path with the home folder in the place of `~`.

    Args:
        name: of the argument.
        path: as the user gave it.
        before: what was before it, such as "folder:".

    Raises:
        PathError: it is empty, the URL of a place elsewhere, or in a home
            folder that there is not.
    """
    text = os.fsdecode(path)
    told = f"{name}={before}{text}"
    if not text:
        raise PathError(f"{told} is empty; name a path, or . for this folder")
    if _URL.match(text):
        raise PathError(
            f"{told} is a URL, which is not read or written here; give a path "
            "on this machine, such as one where it is mounted"
        )
    try:
        return pathlib.Path(text).expanduser()
    except RuntimeError as error:
        raise PathError(
            f"{told} is in a home folder that cannot be found; write the path "
            "out"
        ) from error


def of_pictures(name: str, path: _Path) -> pathlib.Path:
    """Returns the path of PATH or folder:PATH, as `local` does."""
    text = os.fsdecode(path)
    before = "folder:" if text.startswith("folder:") else ""
    return local(name, text.removeprefix(before), before)


def in_dataset(name: str, dataset: str) -> str:
    """Returns a data set's name; of folder:PATH with the path of `local`."""
    if dataset.startswith("folder:"):
        return f"folder:{of_pictures(name, dataset)}"
    return dataset


def of_tfds(name: str, path: _Path | None) -> str | None:
    """Returns a folder of TFDS, which may also be in a bucket that it reads.

    None, for TFDS's default, stays None.
    """
    if path is None:
        return None
    text = os.fsdecode(path)
    return text if _OF_TFDS.match(text) else str(local(name, text))


def or_server(name: str, path: _Path) -> str:
    """Returns the URL of a server as it is, and a path as `local` does."""
    text = os.fsdecode(path)
    remote = text.startswith(("http://", "https://"))
    return text if remote else str(local(name, text))


def or_range(name: str, path: str) -> str:
    """Returns NAME=LOW..HIGH as it is, and a path as `local` does."""
    return path if "=" in path else str(local(name, path))
