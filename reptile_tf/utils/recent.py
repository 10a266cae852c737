"""A memory of the few things that were made last."""

import collections
from collections.abc import Callable, Hashable
from typing import Any


class Recent:
    """Keeps what was made for the few owners that asked last.

    A compiled function holds the data that it reads, which may be gigabytes.
    So only the latest are kept; one that is dropped takes its data along.

    Args:
        most: how many are kept, at least 1.
    """

    def __init__(self, most: int = 4):
        self._most = most
        # The owner is kept too, so that no other object gets its id.
        self._made: collections.OrderedDict[Hashable, tuple[Any, Any]] = (
            collections.OrderedDict()
        )

    def get(self, owner: Any, key: Hashable, make: Callable[[], Any]) -> Any:
        """Returns what `make` makes, or made when it was asked for before.

        Args:
            owner: any object, told from others by being itself.
            key: what else it depends on.
            make: called if it is not there.
        """
        place = id(owner), key
        if place not in self._made:
            self._made[place] = owner, make()
        self._made.move_to_end(place)
        while len(self._made) > self._most:
            self._made.popitem(last=False)
        return self._made[place][1]
