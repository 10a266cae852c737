"""What is searched: settings of a preset, and the range of each."""

import dataclasses
import difflib
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from reptile_tf.experiments.preset import SETTINGS, Preset
from reptile_tf.utils.paths import PathError, local

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
    "clip_norm": "is 0 for none, so that near values are not alike; make one "
    "search for each of its values",
    "channels": "says what the pictures are; make one search for each value",
    "outer_iterations": "is not searched; --trial_iterations says how long a "
    "trial is",
}
_FIELDS = {field.name: field for field in SETTINGS}
SEARCHED = tuple(
    name
    for name, field in _FIELDS.items()
    if field.type in (int, float) and name not in _NOT_TO_BE_SEARCHED
)
_FORM = "NAME=LOW..HIGH, NAME=log:LOW..HIGH or NAME=int:LOW..HIGH"
_RANGE = re.compile(r"(?:(\w+):)?(.+?)\.\.(.+)")
_LARGEST = 1e9  # nothing that is searched comes near it
_SMALLEST = 1e-12
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
        name, _, rest = map(str.strip, text.partition("="))
        _require_searchable(name)
        match = _RANGE.fullmatch(rest)
        if match is None:
            raise ValueError(f"space={text!r} must be of the form {_FORM}")
        scale, *ends = match.groups()
        whole = _FIELDS[name].type is int
        scale = scale or ("int" if whole else "")
        if scale not in (("int",) if whole else ("log", "")):
            told = "..".join(ends)
            remedy = f"which have no other scale than int; write {name}={told}"
            if not whole:
                remedy = f"on the scale log or none; write {name}=log:{told}"
            raise ValueError(
                f"space={text!r}: {name} takes "
                f"{'whole ' if whole else ''}numbers, {remedy}"
            )
        low, high = (_number(text, end, whole) for end in ends)
        if not low < high:
            raise ValueError(
                f"space={text!r}: the first number must be below the second"
            )
        if scale == "log" and low < _SMALLEST:
            raise ValueError(
                f"space={text!r}: a range on the scale log must begin above 0, "
                f"at {_SMALLEST:g} or more"
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
        # More digits where the ends of a range are alike.
        largest = max(abs(self.low), abs(self.high))
        alike = math.log10(largest / (self.high - self.low))
        digits = _DIGITS + max(0, math.floor(alike))
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)

    def place(self, value: float) -> float:
        """Returns where from 0 to 1 a value lies."""
        if self.scale == "log":
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _number(text: str, end: str, whole: bool) -> float:
    """Returns an end of a range.

    Args:
        text: the range, for messages.
        end: its low or its high end.
        whole: whether it must be a whole number.
    """
    try:
        number = int(end) if whole else float(end)
    except ValueError:
        number = math.nan
    if not abs(number) <= _LARGEST:  # nor is NaN
        kind = "whole number" if whole else "number"
        raise ValueError(
            f"space={text!r}: {end!r} must be a {kind}, from -1e9 to 1e9"
        )
    return number


def _require_searchable(name: str) -> None:
    """Refuses settings that are no numbers, or would change what is asked."""
    if name in _NOT_TO_BE_SEARCHED:
        raise ValueError(f"space={name}: {name} {_NOT_TO_BE_SEARCHED[name]}")
    if name in _FIELDS and name not in SEARCHED:
        choices = _FIELDS[name].metadata["choices"]
        like = choices[-1] if choices else "VALUE"
        raise ValueError(
            f"space={name}: {name} is not a number, so that it has no range; "
            f"make one search for each of its values, such as --{name}={like}, "
            "each in a run_dir of its own"
        )
    if name not in SEARCHED:
        near = difflib.get_close_matches(name, SEARCHED, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"space={name}: the settings that can be searched are "
            f"{', '.join(SEARCHED)}{hint}"
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
            is_file = "=" not in text or pathlib.Path(text).is_file()
            ranges += _lines(text) if is_file else [text]
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
        outside = []
        for each in self.ranges:
            value = getattr(preset, each.name)
            for end in (each.low, each.high):
                named: dict[str, Any] = {each.name: end}
                try:
                    dataclasses.replace(preset, **named)
                except ValueError as error:
                    raise ValueError(f"space={each}: {error}") from None
            if not each.low <= value <= each.high:
                outside.append(f"{each} leaves out {value}")
        if outside:
            raise ValueError(
                f"space={'; '.join(outside)}: a search begins at the preset's "
                "values, which the ranges, the default ones too, must hold; "
                "give --space with such a range for each setting that is to be "
                "searched, or begin at other values by the settings' flags"
            )
        return np.array([r.place(getattr(preset, r.name)) for r in self.ranges])


def _lines(path: str) -> list[str]:
    """Returns the ranges of a file."""
    try:
        text = local("space", path).read_text("utf-8-sig")
    except PathError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(
            f"space={path} is neither of the form {_FORM}, nor a file of such "
            f"lines that can be read: {reason}"
        ) from error
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line]
