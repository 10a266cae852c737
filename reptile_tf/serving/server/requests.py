"""How many requests are under way."""

import contextlib
from collections.abc import Iterator


class TooManyError(Exception):
    """There is no room for another request."""


class Requests:
    """The requests that are received and not answered yet.

    Args:
        most: at a time.
    """

    def __init__(self, most: int):
        self._most, self._count = most, 0

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """Counts one while a block runs.

        Raises:
            TooManyError: there is no room for it.
        """
        if self._count >= self._most:
            raise TooManyError("Too many requests at a time; try again")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
