"""What a process prints that nobody asked for: messages of other packages."""

import contextlib
import logging
import os
import signal
from collections.abc import Iterator


def quiet_tensorflow() -> None:
    """Asks TensorFlow, before it is imported, to print no messages.

    What goes wrong is still told by exceptions.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def root_logger_kept() -> Iterator[None]:
    """Keeps absl, by which TFDS logs, from adding a handler to the root logger.

    Where there is none, warnings are printed in its block as Python prints
    them by itself.
    """
    root, last = logging.getLogger(), logging.lastResort
    if root.handlers or last is None:
        yield
        return
    root.addHandler(last)
    try:
        yield
    finally:
        root.removeHandler(last)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Keeps what C++ prints to standard error; shows it if all fails.

    TensorFlow prints before any of its settings is read, so this works on the
    file descriptor. A child process keeps the text until it hears that all
    went well; if an exception leaves the block, or the whole process dies in
    it, the child prints all of it.
    """
    try:
        original = os.dup(2)
    except OSError:  # standard error is closed
        original = None
    if original is None or not hasattr(os, "fork"):
        yield
        return
    text, printed = os.pipe()
    verdict, verdicts = os.pipe()
    child = os.fork()
    if not child:
        os.close(printed)
        os.close(verdicts)
        _keep(text, verdict, original)
    os.close(text)
    os.close(verdict)
    os.dup2(printed, 2)
    os.close(printed)
    try:
        yield
        os.write(verdicts, b"drop")
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(verdicts)
        os.waitpid(child, 0)


def _keep(text: int, verdict: int, original: int) -> None:
    """Keeps what comes, as the child; prints it unless told to drop it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kept = b""
    while chunk := os.read(text, 1 << 16):
        kept += chunk
    if os.read(verdict, 4) != b"drop":
        os.write(original, kept)
    os._exit(0)
