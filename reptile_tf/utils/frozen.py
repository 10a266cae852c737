"""Objects whose attributes are fixed once they are made."""

from typing import Any, ClassVar


class Frozen:
    """Refuses changes of its attributes, which nothing would notice.

    Subclasses make them with `_set`. Names that begin with an underscore are
    their own business.

    Attributes:
        changeable: names of the attributes that may be changed all the same.
        instead: what the refusal tells the user to do; `{name}` is the
            attribute.
    """

    changeable: ClassVar[tuple[str, ...]] = ()
    instead: ClassVar[str] = ""

    def _set(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in self.changeable:
            raise AttributeError(self._refusal(name))
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(self._refusal(name))

    def _refusal(self, name: str) -> str:
        return (
            f"{name} of a {type(self).__name__} cannot be changed, as it is "
            f"fixed when the {type(self).__name__} is made. "
            + self.instead.format(name=name)
        )
