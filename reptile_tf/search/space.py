"""What is searched: settings of a preset, and the range of each."""

import dataclasses
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from reptile_tf.experiments.preset import SETTINGS, Preset
from reptile_tf.utils.validation import require_choice

# The settings of Tables 3 to 5, in ranges that hold all of their values.
PAPER = (
    "learning_rate=log:1e-4..1e-2",
    "inner_batch_size=int:2..25",
    "inner_steps=int:2..20",
    "training_shots=int:2..19",
    "outer_step_size=0.1..1",
    "meta_batch_size=int:1..10",
    "eval_inner_batch_size=int:2..25",
    "eval_inner_steps=int:5..100",
)

# These say what is asked of a learner, or how long it may learn: with them,
# trials could not be compared with each other.
_NOT_TO_BE_SEARCHED = {
    **dict.fromkeys(
        ("ways", "max_ways", "shots", "validation_classes", "image_size"),
        "says what the tasks are, so that the trials could not be compared; "
        "make one search for each of its values",
    ),
    "channels": "says what the pictures are; make one search for each value",
    "outer_iterations": "is what a trial may cost; give --trial_iterations",
}
_FIELDS = {field.name: field for field in SETTINGS}
SEARCHED = tuple(
    name
    for name, field in _FIELDS.items()
    if field.type in (int, float) and name not in _NOT_TO_BE_SEARCHED
)
_FORM = "NAME=LOW..HIGH, NAME=log:LOW..HIGH or NAME=int:LOW..HIGH"
_TEXT = re.compile(r"\s*(\w+)\s*=\s*(?:(\w+):)?(.+?)\.\.(.+?)\s*")
_DIGITS = 4  # of a value that is no whole number; more help nobody


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a setting may have, laid out from 0 to 1.

    Attributes:
        name: of the setting.
        low: its smallest value.
        high: its largest value.
        scale: "log" where equal factors are equally far apart, "int" for whole
            numbers, "" otherwise.
    """

    name: str
    low: float
    high: float
    scale: str = ""

    @classmethod
    def parse(cls, text: str) -> "Range":
        """Returns the range that a text such as `a=log:1e-4..1e-2` says.

        Raises:
            ValueError: it says none, or the setting cannot be searched.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"space={text!r} must be of the form {_FORM}")
        name, scale, *ends = match.groups()
        _require_searchable(name)
        whole = _FIELDS[name].type is int
        scale = scale or ("int" if whole else "")
        if scale not in (("int",) if whole else ("log", "")):
            kind = "whole numbers" if whole else "numbers that are not whole"
            like = "int:2..16" if whole else "log:1e-4..1e-2, or 0.1..1"
            raise ValueError(
                f"space={text!r}: {name} takes {kind}; write {name}={like}"
            )
        try:
            low, high = (int(e) if whole else float(e) for e in ends)
        except ValueError as error:
            raise ValueError(f"space={text!r} is no range: {error}") from None
        if not (low < high and math.isfinite(high - low)):
            raise ValueError(
                f"space={text!r}: the first number must be below the second"
            )
        if scale == "log" and low <= 0:
            raise ValueError(
                f"space={text!r}: a range of scale log begins above 0"
            )
        return cls(name, low, high, scale)

    def __str__(self) -> str:
        scale = f"{self.scale}:" if self.scale else ""
        return f"{self.name}={scale}{self.low}..{self.high}"

    @property
    def step(self) -> float:
        """How far two neighbours are apart; 0 where there are none."""
        return 1 / (self.high - self.low) if self.scale == "int" else 0.0

    def value(self, place: float) -> float:
        """Returns the setting's value at a place from 0 to 1."""
        if self.scale == "int":
            return int(self.low + round(place * (self.high - self.low)))
        if self.scale == "log":
            value = self.low * (self.high / self.low) ** place
        else:
            value = self.low + place * (self.high - self.low)
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def place(self, value: float) -> float:
        """Returns where from 0 to 1 a value lies."""
        if self.scale == "log":
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _require_searchable(name: str) -> None:
    """Refuses settings that are no numbers, or would change what is asked."""
    require_choice(_FIELDS, space=name)
    if name in _NOT_TO_BE_SEARCHED:
        raise ValueError(f"space={name}: {name} {_NOT_TO_BE_SEARCHED[name]}")
    if name not in SEARCHED:
        choices = _FIELDS[name].metadata["choices"]
        like = choices[-1] if choices else "VALUE"
        raise ValueError(
            f"space={name}: {name} is no number, and what is between its "
            "values cannot be tried; make one search for each of them, with "
            f"--{name}={like}"
        )


class Space:
    """The settings that are searched.

    Args:
        ranges: one for each setting.

    Raises:
        ValueError: there is none, or two are of one setting.
    """

    def __init__(self, ranges: Sequence[Range]):
        self.ranges = tuple(ranges)
        names = self.names
        if not names:
            raise ValueError("space must name a setting at least")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"space={twice[0]} is there twice; name it once")

    @classmethod
    def parse(cls, texts: Sequence[str]) -> "Space":
        """Returns the space that texts say.

        Args:
            texts: each a range, such as `inner_steps=int:2..16`, or the path
                of a file with one of them a line, where what follows a # is
                not looked at.

        Raises:
            ValueError: a text says no range, or the file is not there.
        """
        ranges = []
        for text in texts:
            ranges += [text] if "=" in text else _lines(text)
        return cls([Range.parse(text) for text in ranges])

    @property
    def names(self) -> list[str]:
        """The names of the settings."""
        return [each.name for each in self.ranges]

    def values(self, point: Sequence[float]) -> dict[str, float]:
        """Returns the settings at a point of the unit cube, by name."""
        return {
            each.name: each.value(place)
            for each, place in zip(self.ranges, point, strict=True)
        }

    def start(self, preset: Preset) -> np.ndarray:
        """Returns the point of a preset's own settings: float64 `[d]`.

        Raises:
            ValueError: a range leaves the preset's value out, or has values
                that the setting may not have.
        """
        for each in self.ranges:
            value = getattr(preset, each.name)
            for end in (each.low, each.high):
                named: dict[str, Any] = {each.name: end}
                dataclasses.replace(preset, **named)
            if not each.low <= value <= each.high:
                raise ValueError(
                    f"space={each} leaves out {value}, the preset's value, "
                    "where the search begins; give --space with a range that "
                    f"holds it, or begin elsewhere with --{each.name}"
                )
        return np.array([r.place(getattr(preset, r.name)) for r in self.ranges])


def _lines(path: str) -> list[str]:
    """Returns the ranges of a file."""
    try:
        text = pathlib.Path(path).read_text()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(
            f"space={path} is neither of the form {_FORM}, nor a file of such "
            f"lines that can be read: {reason}"
        ) from error
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line]
