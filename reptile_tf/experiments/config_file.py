"""A run's config.json: read, or refused with what would mend it."""

import dataclasses
import os
import reprlib
from typing import Any

from reptile_tf.experiments.preset import FORMER_NAMES, Preset, of_config
from reptile_tf.utils import json_file
from reptile_tf.utils.paths import local

NAME = "config.json"
_REMEDY = (
    "put back a copy of it, or remove it and give reptile-tf train all "
    "settings of the run again"
)


def read(path: str | os.PathLike, remedy: str = _REMEDY) -> dict[str, Any]:
    """Returns what a config.json says, of whatever version.

    Args:
        path: of the file.
        remedy: what would do where it says nothing.

    Raises:
        ValueError: it is not there, damaged or incomplete.
    """
    path = local("path", path)
    try:
        config = json_file.read(path)
    except FileNotFoundError as error:
        raise ValueError(f"{path} is not there; {remedy}") from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; {remedy}") from error
    try:
        _require_whole(config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is no run's: {error}; {remedy}") from error
    return config


def _require_whole(config: Any) -> None:
    """Refuses what no run can be made of."""
    if not isinstance(config, dict):
        raise TypeError("it must hold settings by name")
    if type(config.get("seed")) is not int:
        raise TypeError(
            "seed must be a whole number; received "
            f"{reprlib.repr(config.get('seed'))}"
        )
    # Version 0.1 may not say the first, nor 0.2 the second.
    for name, least in (("eval_every", 1), ("num_validation_tasks", 2)):
        value = config.get(name, least)
        if type(value) is not int or value < least:
            raise TypeError(
                f"{name} must be a whole number, at least {least}; received "
                f"{reprlib.repr(value)}"
            )
    for text in ("data_dir", "along_the_way", "dtype_policy"):
        value = config.get(text)
        if not isinstance(value, str | None):
            raise TypeError(
                f"{text} must be a text; received {reprlib.repr(value)}"
            )
    _require_extensions(config.get("extensions", []))
    wanted = {field.name: field for field in dataclasses.fields(Preset)}
    former = {old: wanted[new] for old, new in FORMER_NAMES.items()}
    for name, value in config.items():
        field = (wanted | former).get(name)
        if field is None or (value is None and field.default is None):
            continue
        kind: Any = field.type
        if type(value) not in ((int, float) if kind is float else (kind,)):
            raise TypeError(
                f"{name} must be {kind.__name__}; received "
                f"{reprlib.repr(value)}"
            )
    missing = [
        name
        for name, field in wanted.items()
        if field.default is dataclasses.MISSING and name not in config
    ]
    if missing:
        raise TypeError(f"it does not say {', '.join(missing)}")
    of_config(config)


def _require_extensions(extensions: Any) -> None:
    """Refuses what `reptile_tf.experiments.extension` did not write."""
    for each in extensions if type(extensions) is list else [None]:
        if type(each) is not dict or not all(
            type(each.get(key)) is int for key in ("at", "from", "to")
        ):
            raise TypeError(
                "extensions must be a list, of whole numbers at, from and to "
                f"each; received {reprlib.repr(extensions)}"
            )
