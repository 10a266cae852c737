"""How a picture becomes an array that a model takes."""

import dataclasses
import numbers
import reprlib
from collections.abc import Mapping
from typing import Any

from reptile_tf.utils.validation import require_choice

RESIZES = ("crop", "squash", "nearest")
INKS = ("dark", "light")

_LONGEST_SIDE = 4096  # of the array, in pixels


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How a picture becomes an array.

    Attributes:
        height: of the array.
        width: of the array.
        channels: 1 for grey, 3 for colours.
        resize: "squash" makes a pixel the average of what it covers, whatever
            the picture's proportions are; "crop" does the same with the middle
            of the picture, as much of it as has the array's proportions;
            "nearest" takes the nearest pixels, as with the drawings of
            Omniglot, whatever the proportions are.
        ink: what drawings look like, if the pictures are drawings: "dark" ink,
            0, on light paper, 255, which are 0.0 and 1.0 as inputs; or "light"
            ink, 255, on dark paper, 0. None for other pictures.

    Raises:
        ValueError: one of them is not what it may be.
    """

    height: int
    width: int
    channels: int
    resize: str
    ink: str | None = None

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            value = getattr(self, name)
            whole = isinstance(value, numbers.Integral)
            if not whole or not 1 <= value <= _LONGEST_SIDE:
                raise ValueError(
                    f"{name} must be a whole number of pixels, 1 to "
                    f"{_LONGEST_SIDE}; received {reprlib.repr(value)}"
                )
        require_choice((1, 3), channels=self.channels)
        require_choice(RESIZES, resize=self.resize)
        if self.ink is not None:
            require_choice(INKS, ink=self.ink)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the array: height, width, channels."""
        return int(self.height), int(self.width), int(self.channels)

    def as_dict(self) -> dict[str, Any]:
        """Returns what `of_dict` takes, as JSON can hold it."""
        height, width, channels = self.shape  # which may have been NumPy's
        return {
            "height": height,
            "width": width,
            "channels": channels,
            "resize": self.resize,
            "ink": self.ink,
        }

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> "Preparation":
        """Returns the preparation of which `as_dict` returned `values`.

        Until version 0.2 there was no `ink`, which is None then.

        Raises:
            ValueError: `as_dict` returned no such thing.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        told = set(values) if isinstance(values, Mapping) else set()
        if told | {"ink"} != set(names):
            raise ValueError(
                f"a preparation must have {', '.join(names)}; received "
                f"{values!r}"
            )
        return cls(**values)
