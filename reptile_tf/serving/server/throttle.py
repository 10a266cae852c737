"""How fast long messages are read, whoever sends them."""

import asyncio
import time

LONG = 1 << 18  # bytes from which on a message is a long one
_BYTES_PER_S = 32 << 20


class Throttle:
    """Lets so many bytes a second pass, of all long messages together.

    To read them takes time of the processor, which short requests need; those
    who send long ones do so at any rate that is left to them.

    Args:
        bytes_per_s: that may pass.
    """

    def __init__(self, bytes_per_s: float = _BYTES_PER_S):
        self._bytes_per_s = bytes_per_s
        self._free = 0.0  # when those that have been let pass have passed

    async def passed(self, size: int) -> None:
        """Waits until so many bytes more have passed."""
        now = time.monotonic()
        self._free = max(self._free, now) + size / self._bytes_per_s
        await asyncio.sleep(self._free - now)
