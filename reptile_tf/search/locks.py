"""Locks between processes, which the system opens when their holder dies."""

import contextlib
import pathlib
from collections.abc import Iterator

from reptile_tf.utils.extras import extra
from reptile_tf.utils.files import named_if_not_written

with extra("search"):
    import filelock


@contextlib.contextmanager
def held(
    folder: pathlib.Path, name: str, patience: float = 0.0
) -> Iterator[None]:
    """Holds a lock of a search's folder.

    Args:
        folder: of the search.
        name: of the lock.
        patience: how long to wait for another to open it, in seconds.

    Raises:
        TimeoutError: another holds it all that time.
    """
    path = folder / "locks" / f"{name}.lock"
    with named_if_not_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=patience)
    except filelock.Timeout as error:
        raise TimeoutError(
            f"another process holds {path} (waited {patience:.0f} s); if one "
            "of the search's processes is stopped, let it go on or end it"
        ) from error
    try:
        yield
    finally:
        lock.release()
