"""Refusals of arguments, in one wording: the name, the value, what would do."""

import os
from collections.abc import Iterable
from typing import Any

from reptile_tf.utils.paths import local


def require_at_least(least: float, **values: float) -> None:
    """Refuses values below `least`.

    Raises:
        ValueError: names the first value that is too small, or no number.
    """
    for name, value in values.items():
        try:
            fits = bool(value >= least)
        except (TypeError, ValueError):  # no number, or several
            fits = False
        if not fits:
            raise ValueError(
                f"{name} must be at least {least}; received {value!s:.80}"
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


def require_writable(**folders: str | os.PathLike) -> None:
    """Refuses folders that cannot be made, or not be written to.

    Raises:
        ValueError: names the first such folder, and what is in the way.
    """
    for name, folder in folders.items():
        whole = local(name, folder).absolute()
        there = next(
            path for path in (whole, *whole.parents) if os.path.lexists(path)
        )
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise ValueError(
                f"{name}={folder} cannot be written to: {there} is not a "
                "folder that can be; name another place"
            )
