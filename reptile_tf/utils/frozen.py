"""Objects whose attributes are fixed once they are made."""

from collections.abc import Iterable
from typing import Any, ClassVar


class Frozen:
    """Refuses changes of its attributes, which nothing would notice.

    A subclass calls `_freeze` at the end of `__init__`. Names that begin with
    an underscore are its own business. `_instead` is what the refusal tells
    the user to do.
    """

    _instead: ClassVar[str] = ""
    _fixed: frozenset[str] = frozenset()

    def _freeze(self, also: Iterable[str] = ()) -> None:
        """Fixes the attributes that there are, and more names."""
        public = {name for name in vars(self) if not name.startswith("_")}
        self._fixed = frozenset(public | set(also))

    def __setattr__(self, name: str, value: Any) -> None:
        self._require_changeable(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._require_changeable(name)
        super().__delattr__(name)

    def _require_changeable(self, name: str) -> None:
        if name in self._fixed:
            kind = type(self).__name__
            raise AttributeError(
                f"{name} of a {kind} cannot be changed: it is fixed when the "
                f"{kind} is made. {self._instead}"
            )
