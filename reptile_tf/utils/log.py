"""What a process prints that nobody asked for: TensorFlow's own messages."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def quiet_tensorflow() -> None:
    """Asks TensorFlow, before it is imported, for its errors alone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Keeps what C++ prints to standard error; shows it if all fails.

    TensorFlow prints before any of its settings is read, so this works on the
    file descriptor. If an exception leaves the block, all that was printed is
    shown before it.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(original, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
