"""The files under a folder, by way of links too, but without what is hidden."""

import os
import pathlib
from collections.abc import Iterable


def survey(
    folder: str | os.PathLike, suffixes: tuple[str, ...]
) -> tuple[list[pathlib.Path], int]:
    """Looks at all files under a folder.

    Symbolic links are followed, but no folder is looked into twice, and none
    that the given one lies in.

    Args:
        folder: that exists.
        suffixes: of the files that are wanted, in small letters.

    Returns:
        (wanted, others): the paths of the wanted files, sorted, and the number
        of the other ones.

    Raises:
        ValueError: a folder may not be read.
    """
    wanted, others = [], 0
    # By identity: a link back up would lead round and round.
    seen, waiting = _above(folder), [pathlib.Path(folder)]
    while waiting:
        folders, files = _inside(waiting.pop())
        found = [p for p in files if p.name.lower().endswith(suffixes)]
        wanted += found
        others += len(files) - len(found)
        for inner in folders:
            identity = _identity(inner)
            if identity not in seen:
                seen.add(identity)
                waiting.append(inner)
    return sorted(wanted), others


def inside(
    folder: str | os.PathLike,
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Returns the folders and the files in a folder itself, each sorted.

    Of the folders, links back up are left out.

    Args:
        folder: that exists.

    Raises:
        ValueError: the folder may not be read.
    """
    above = _above(folder)
    folders, files = _inside(pathlib.Path(folder))
    return [path for path in folders if _identity(path) not in above], files


def some_of(names: Iterable[object], most: int = 5) -> str:
    """Returns a few names of many, and how many more there are."""
    told = list(map(str, names))
    more = f" and {len(told) - most:,} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more


def _identity(folder: pathlib.Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _above(folder: str | os.PathLike) -> set[tuple[int, int]]:
    """Returns the identities of a folder and of all that it lies in."""
    real = pathlib.Path(folder).resolve()
    return set(map(_identity, (real, *real.parents)))


def _inside(
    folder: pathlib.Path,
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Returns what `inside` does, and links back up too."""
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                # macOS hides its copies in a folder without a dot.
                if entry.name[0] == "." or entry.name == "__MACOSX":
                    continue
                path = folder / entry.name
                # A link may lead to itself, for which `entry.is_dir` raises.
                link = entry.is_symlink()
                if path.is_dir() if link else entry.is_dir():
                    folders.append(path)
                elif path.is_file() if link else entry.is_file():
                    files.append(path)
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be read: {error.strerror}"
        ) from error
    return folders, files
