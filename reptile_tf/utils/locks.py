"""Locks between processes, which the system opens when their holder dies."""

import contextlib
import math
import os
import pathlib
import platform
from collections.abc import Iterator

import filelock

from reptile_tf.utils.files import named_if_not_written, whole_file


@contextlib.contextmanager
def held(
    path: pathlib.Path, remedy: str = "", patience: float = 0.0
) -> Iterator[None]:
    """Holds a lock.

    Args:
        path: of the lock's file; its folder is made if it is not there.
        remedy: what to do where another process holds it, for the message.
        patience: how long to wait for another to open it, in seconds; of
            infinity, for ever.

    Raises:
        TimeoutError: another holds it all that time; names that process.
        NotWrittenError: the file cannot be written.
    """
    # The system forgets a lock with its process, and says nothing of whose it
    # is; so that is written beside it.
    holder = path.with_suffix(".holder")
    lock = filelock.FileLock(path)
    with named_if_not_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=-1 if patience == math.inf else patience)
        except filelock.Timeout as error:
            waited = f" (waited {patience:.0f} s)" if patience else ""
            raise TimeoutError(
                f"{_who(holder)} holds {path}{waited}; {remedy}"
            ) from error
    try:
        with (
            contextlib.suppress(OSError),  # a full disk; it is held
            whole_file(holder) as part,
        ):
            part.write_text(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink()
        lock.release()


def _who(holder: pathlib.Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return holder.read_text() or "another process"
    return "another process"
