"""A run folder as one process's own, while it trains."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import keras

from reptile_tf.utils import locks

_LOCK = "train.lock"


@contextlib.contextmanager
def owned(folder: pathlib.Path) -> Iterator[keras.callbacks.Callback]:
    """Keeps other processes from training into a run folder.

    Args:
        folder: of the run, made if it is not there.

    Yields:
        A callback that notices it if the folder is moved or removed. It comes
        before those that write there.

    Raises:
        TimeoutError: another process trains into it.
    """
    path = folder / _LOCK
    remedy = "let it finish, end it, or train into another run_dir"
    with locks.held(path, remedy):
        yield _InPlace(path)


class _InPlace(keras.callbacks.Callback):
    """Ends a training whose folder is no longer where it was."""

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self._path, self._then = path, _identity(path)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Looks for the folder before anything is written there."""
        if _identity(self._path) != self._then:
            raise FileNotFoundError(
                f"run_dir={self._path.parent} was moved or removed while it "
                "was trained into; its newest checkpoint is whole, and train "
                "goes on from it wherever the folder is now"
            )


def _identity(path: pathlib.Path) -> tuple[int, int] | None:
    """Returns what tells a file from all others; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
