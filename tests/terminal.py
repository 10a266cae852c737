"""Runs a command as on a terminal of so many columns."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import termios


class Terminal(io.StringIO):
    """A stream of this process that says that it is a terminal."""

    def isatty(self):
        return True


def on_terminal(words, columns: int, **environment: str) -> str:
    """Returns all that a command writes to a terminal, escapes included."""
    ours, theirs = pty.openpty()
    size = struct.pack("HHHH", 24, columns, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "LINES", "NO_COLOR", "TERM")
    }
    process = subprocess.Popen(
        words,
        stdout=theirs,
        stderr=theirs,
        env=plain | {"TERM": "xterm", **environment},
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 1 << 16)
        except OSError:  # as Linux says that nobody has it open any more
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


def bars(written: str) -> list[str]:
    """The states of bars that were drawn, one over the other."""
    lines = written.replace("\r\n", "\n").split("\n")
    return [part for line in lines for part in line.split("\r")[:-1] if part]
