"""Progress: a bar on a terminal, and now and then a line where none belongs.

All that the package shows of how far something is comes from here. A bar is one
line, which is erased at its end. It is shown on terminals and in notebooks
alone: never in files and pipes, and not where NO_COLOR or a terminal that moves
no cursor asks for plain text.
"""

import os
import shutil
import sys
import threading
import time
from typing import Any, TextIO

import tqdm

# What matters comes first, since the end is cut off where a line is short.
_FORMAT = "{n:,.{digits}f}/{total:,} {unit}s{postfix} {bar} {left} left"
_PAUSE = 60.0  # seconds between two lines, where there is no bar


def shown(stream: TextIO | None) -> bool:
    """Returns whether a stream is one to show bars on."""
    if stream is None or os.environ.get("NO_COLOR"):
        return False
    if type(stream).__module__.startswith("ipykernel."):  # of a notebook
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


class Bar(tqdm.tqdm):
    """A bar on standard output; as a context it ends with its block.

    Where none belongs, what takes more than a minute is a plain line a minute.

    Args:
        total: how much there is to do.
        unit: what is counted, in the singular.
        show: whether anything is to be shown.
        digits: after the point, of what is done.
        **settings: of `tqdm.tqdm`, such as `initial`, what was done before.
    """

    monitor_interval = 0  # no thread: each update looks at the clock

    def __init__(
        self,
        total: int,
        unit: str,
        show: bool | int = True,
        digits: int = 0,
        **settings: Any,
    ):
        self._digits, self._what = digits, unit
        # When, and how much was done then: the speed is that of this process
        # since its first step, which may have compiled for a while.
        self._from: tuple[float, float] | None = None
        self._lines = bool(show) and not shown(sys.stdout)
        self._next = time.monotonic() + _PAUSE
        super().__init__(
            total=total,
            unit=unit,
            disable=not show or self._lines,
            file=sys.stdout,
            leave=False,
            bar_format=_FORMAT,
            miniters=0,
            ncols=80,  # see format_dict
            nrows=20,  # of a terminal that says 0, which tqdm shows nothing on
            **settings,
        )

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the format refers to; the width is the terminal's as it is now.

        The last column stays free: some terminals begin a line when it is
        written to.
        """
        columns = 80  # of a notebook; its process may have a terminal besides
        if sys.stdout is not None and sys.stdout.isatty():
            columns = shutil.get_terminal_size().columns
        own = {
            "ncols": max(1, columns - 1),
            "digits": self._digits,
            "left": self.left() or "?",
        }
        return super().format_dict | own

    def left(self) -> str:
        """Returns the time that is left, by the speed so far.

        It is empty before there has been a second step.
        """
        if self._from is None or self.n <= self._from[1]:
            return ""
        began, before = self._from
        each = (time.monotonic() - began) / (self.n - before)
        return self.format_interval((self.total - self.n) * each)

    def show(self, done: float, figures: str = "") -> None:
        """Moves the bar, and shows what it has come to.

        Args:
            done: of the total.
            figures: a word and its number, such as "loss 0.1".
        """
        if self._from is None:
            self._from = time.monotonic(), done
        if self._lines:
            self.n = done
            if time.monotonic() > self._next and done < self.total:
                parts = [
                    f"{done:,.{self._digits}f} of {self.total:,} {self._what}s",
                    *([figures] if figures else []),
                ]
                self.say(", ".join(parts), timed=True)
        elif not self.disable:
            self.set_postfix_str(figures, refresh=False)
            self.update(done - self.n)
            if self.n >= self.total:  # also if it was just shown
                self.refresh()

    def say(self, text: str, timed: bool = False) -> None:
        """Prints a line, above the bar if one is shown.

        Args:
            text: the line.
            timed: whether it ends in the time that is left if there is no bar.
        """
        self._next = time.monotonic() + _PAUSE
        left = self.left() if timed and self._lines else ""
        if left and self.n < self.total:
            text += f", {left} left"
        if sys.stdout is not None:
            self.write(text, file=sys.stdout)
            sys.stdout.flush()  # also where it is a file that is watched


# A lock of this process: tqdm's own is shared by processes, for which it takes
# semaphores, which not every container has.
Bar.set_lock(threading.RLock())
