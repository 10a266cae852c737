"""Objects whose attributes are fixed once they are made."""

from typing import Any, ClassVar


class Frozen:
    """Refuses changes of its attributes, which nothing would notice.

    Subclasses call `_freeze` at the end of `__init__`. Names that begin with
    an underscore are their own business.

    Attributes:
        changeable: names of the attributes that may be changed all the same.
        instead: what the refusal tells the user to do; `{name}` is the
            attribute.
    """

    changeable: ClassVar[tuple[str, ...]] = ()
    instead: ClassVar[str] = ""
    _frozen = False

    def _freeze(self) -> None:
        self._frozen = True

    def __setattr__(self, name: str, value: Any) -> None:
        self._require_changeable(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._require_changeable(name)
        super().__delattr__(name)

    def _require_changeable(self, name: str) -> None:
        private = name.startswith("_")
        if self._frozen and not private and name not in self.changeable:
            raise AttributeError(
                f"{name} of a {type(self).__name__} cannot be changed: it is "
                f"fixed when the {type(self).__name__} is made. "
                + self.instead.format(name=name)
            )
