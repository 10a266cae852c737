"""Refusals of arguments, in one wording: the name, the value, what would do."""

from collections.abc import Iterable
from typing import Any


def require_at_least(least: float, **values: float) -> None:
    """Refuses values below `least`.

    Raises:
        ValueError: names the first value that is too small.
    """
    for name, value in values.items():
        if value < least:
            raise ValueError(
                f"{name} must be at least {least}; received {value}"
            )


def require_positive(**values: float) -> None:
    """Refuses values that are not above 0, NaN among them.

    Raises:
        ValueError: names the first such value.
    """
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0; received {value}")


def require_choice(choices: Iterable[Any], **values: Any) -> None:
    """Refuses values that are not among `choices`.

    Raises:
        ValueError: names the first such value.
    """
    choices = list(choices)
    told = ", ".join(map(str, choices))
    for name, value in values.items():
        if value not in choices:
            raise ValueError(
                f"{name} must be one of {told}; received {value!r}"
            )
