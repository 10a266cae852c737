"""Files that are written whole or not at all."""

import contextlib
import errno
import json
import os
import pathlib
import tempfile
import uuid
from collections.abc import Iterator
from typing import Any

from reptile_tf.utils.paths import local


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a path to write to, which becomes `path` when all went well.

    The file is on the disk before it gets its name, so that no reader, and no
    kill at any moment, ever sees a part of it.

    Args:
        path: of the file; its folder is made if it is not there.

    Raises:
        NotWrittenError: the file cannot be written.
    """
    path = local("path", path)
    # Hidden, and with the whole name at the end, for formats told by suffix.
    part = path.with_name(f".part-{uuid.uuid4().hex[:8]}-{path.name}")
    with named_if_not_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Never one that is there, such as a link to a file of somebody else.
        part.touch(exist_ok=False)
        try:
            yield part
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            with contextlib.suppress(OSError):  # its folder may be gone
                part.unlink(missing_ok=True)


class NotWrittenError(OSError):
    """A file cannot be written; the text names it, and what would do."""

    def __init__(self, path: str | os.PathLike, error: OSError):
        if error.errno in _FULL:
            remedy = "make room there, or write to another place"
        else:
            remedy = "name a place that can be written to"
        reason = error.strerror or error
        if isinstance(error, FileExistsError | NotADirectoryError):
            above = pathlib.Path(path).absolute().parents
            there = next(folder for folder in above if folder.exists())
            if there.is_dir():  # and what is to be written first is taken
                reason, remedy = f"{error.filename} is in the way", "remove it"
            else:
                reason = f"{there} is no folder"
        super().__init__(f"{path} cannot be written: {reason}; {remedy}")
        self.errno = error.errno


# No room on the disk, in the quota, or in the largest size of a file.
_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG


@contextlib.contextmanager
def named_if_not_written(path: str | os.PathLike) -> Iterator[None]:
    """Gives a system's error in writing a file the name of the file.

    The system does not say what it was that did not fit on a disk. An error
    that names a file of another folder is of another matter.

    Raises:
        NotWrittenError: the file cannot be written.
    """
    path = pathlib.Path(path)
    try:
        yield
    except NotWrittenError:
        raise
    except OSError as error:
        named = error.filename2 or error.filename or path  # of a copy the end
        other = pathlib.Path(os.fsdecode(named))
        ours = other.parent == path.parent or other in path.parents
        if error.errno is None or not ours:
            raise
        raise NotWrittenError(path, error) from error


@contextlib.contextmanager
def temporary_folder() -> Iterator[pathlib.Path]:
    """Yields a new folder, which is removed at the end.

    Raises:
        NotWrittenError: there is no place for it.
    """
    try:
        folder = tempfile.TemporaryDirectory()
    except FileNotFoundError as error:
        raise NotWrittenError("a temporary file (see TMPDIR)", error) from error
    with folder as path:
        yield pathlib.Path(path)


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Writes `content` as indented JSON, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")
