"""Progress bars: all that the package shows are made here.

A bar is one line, which is erased at its end. It is shown on terminals and in
notebooks alone: never in files and pipes, and not where NO_COLOR or a terminal
that moves no cursor asks for plain text.
"""

import os
import shutil
import sys
import threading
from typing import Any, TextIO

import tqdm

# What matters comes first, since the end is cut off where a line is short.
_FORMAT = "{n:.{digits}f}/{total} {unit}s{postfix} {bar} {remaining} left"


def shown(stream: TextIO | None) -> bool:
    """Returns whether a stream is one to show bars on."""
    if stream is None or os.environ.get("NO_COLOR"):
        return False
    if type(stream).__module__.startswith("ipykernel."):  # of a notebook
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


class Bar(tqdm.tqdm):
    """A bar on standard output; as a context it ends with its block.

    Args:
        total: how much there is to do.
        unit: what is counted, in the singular.
        show: whether it is wanted; `shown` must agree.
        digits: after the point, of what is done.
        **settings: of `tqdm.tqdm`.
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
        self._digits = digits
        super().__init__(
            total=total,
            unit=unit,
            disable=not (show and shown(sys.stdout)),
            file=sys.stdout,
            leave=False,
            bar_format=_FORMAT,
            miniters=0,
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
        own = {"ncols": max(1, columns - 1), "digits": self._digits}
        return super().format_dict | own

    def show(self, done: float, figures: str = "") -> None:
        """Moves the bar, and shows what it has come to.

        Args:
            done: of the total.
            figures: a word and its number, such as "loss 0.1".
        """
        if not self.disable:
            self.set_postfix_str(figures, refresh=False)
            self.update(done - self.n)
            if self.n >= self.total:  # also if it was just shown
                self.refresh()

    def say(self, text: str) -> None:
        """Prints a line, above the bar if one is shown."""
        if sys.stdout is not None:
            self.write(text, file=sys.stdout)
            sys.stdout.flush()  # also where it is a file that is watched


# A lock of this process: tqdm's own is shared by processes, for which it takes
# semaphores, which not every container has.
Bar.set_lock(threading.RLock())
