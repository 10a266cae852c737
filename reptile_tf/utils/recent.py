"""A memory of the few things that were made last."""

import collections
from collections.abc import Callable, Hashable
from typing import Any


class Recent:
    """Keeps what was made for the few owners that asked last.

    A compiled function holds the data that it reads, which may be gigabytes.
    So only those of the latest owners are kept; one that is dropped takes its
    data along.

    Args:
        most: for how many owners things are kept, at least 1.
    """

    def __init__(self, most: int = 8):
        self._most = most
        self._made: collections.OrderedDict[Hashable, dict[Hashable, Any]] = (
            collections.OrderedDict()
        )

    def get(
        self, owner: Hashable, key: Hashable, make: Callable[[], Any]
    ) -> Any:
        """Returns what `make` makes, or made when it was asked for before.

        Args:
            owner: anything that can be hashed.
            key: what else it depends on.
            make: called if it is not there.
        """
        made = self._made.setdefault(owner, {})
        self._made.move_to_end(owner)
        while len(self._made) > self._most:
            self._made.popitem(last=False)
        if key not in made:
            made[key] = make()
        return made[key]
