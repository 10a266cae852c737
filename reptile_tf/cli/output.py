"""What a command prints, where nobody reads it or it finds no room."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def minded() -> Iterator[None]:
    """Ends a command without a traceback if what it prints cannot be written.

    Raises:
        SystemExit: the reader of a pipe is gone, as of `reptile-tf --help |
            head`, which is no fault; or there is no room.
    """
    _open_closed()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop()
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if error.filename is not None:
            raise
        _drop()
        sys.exit(f"reptile-tf: what it prints cannot be written: {error}")


def _open_closed() -> None:
    """Opens standard input, output and error where they are closed.

    Otherwise the next file that is opened would be taken for them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number, this one
    sys.stdout = sys.stdout or open(1, "w", closefd=False)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)


def _drop() -> None:
    """Sends what is still to be printed nowhere; Python's end prints it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
