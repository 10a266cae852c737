"""The signals that ask a process to end."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

# SIGHUP is what the processes of a terminal get that is closed; Windows has
# none.
ENDING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]


@contextlib.contextmanager
def handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handles them in its block, and puts back the handlers of before.

    One that the process ignores stays ignored, as under nohup or in a shell's
    background. Outside of the main thread, where there are no signals, nothing
    is done.

    Args:
        handler: called with the signal's number and the frame.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            # None is a handler that Python did not set, and cannot put back.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
