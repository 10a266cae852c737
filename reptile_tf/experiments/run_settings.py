"""What a run folder was begun with, and what of it may change."""

import pathlib
from typing import Any

import keras

from reptile_tf.data.splits import TaskSplits
from reptile_tf.experiments import config_file
from reptile_tf.experiments.preset import DEFAULTS, DESCRIPTIONS, renamed
from reptile_tf.utils import json_file
from reptile_tf.utils.validation import require_writable

# The log of `reptile_tf.search`, whose folder is no run folder.
SEARCH = "search.jsonl"

# What may change: places, words, how long the training is, and on how many
# tasks it is evaluated along the way.
_FREE = (
    *DESCRIPTIONS,
    *("data_dir", "manual_dir", "outer_iterations", "num_validation_tasks"),
)
# The dtype policy that the networks are made with, where no other is told.
_POLICY = {"dtype_policy": "float32"}


def dtype_policy() -> dict[str, str]:
    """Returns what a config.json says of Keras's global dtype policy.

    That is nothing if it is the usual one.
    """
    now = {"dtype_policy": keras.config.dtype_policy().name}
    return {} if now == _POLICY else now


def held(folder: pathlib.Path) -> dict[str, Any]:
    """Returns a run folder's config.json; nothing if it is not there.

    Raises:
        ValueError: it is damaged or incomplete.
    """
    path = folder / config_file.NAME
    return config_file.read(path) if path.exists() else {}


def class_sizes(folder: pathlib.Path) -> dict[str, dict[str, int]]:
    """Returns split -> class -> examples, as a run folder's classes.json says.

    Nothing if it is not there.

    Raises:
        ValueError: it is damaged.
    """
    path = folder / "classes.json"
    if not path.exists():
        return {}
    try:
        return {
            split: {name: int(size) for name, size in sizes.items()}
            for split, sizes in json_file.read(path).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; put back a copy of it, or remove it, "
            "and the classes are taken as they are now"
        ) from error


def require_of_runs(folder: pathlib.Path) -> None:
    """Refuses a folder that no run can be written to.

    Raises:
        ValueError: it cannot be written to, or holds a search.
    """
    require_writable(run_dir=folder)
    if (folder / SEARCH).exists():
        raise ValueError(
            f"run_dir={folder} holds a search; train into another folder"
        )


def require_same(
    folder: pathlib.Path, ours: dict[str, Any], config: dict[str, Any]
) -> None:
    """Refuses settings that contradict those of a run.

    Args:
        folder: of the run.
        ours: the settings to train with.
        config: what its config.json says.

    Raises:
        ValueError: names the settings, and what would do.
    """
    theirs = _POLICY | DEFAULTS | renamed(config)
    ours = _POLICY | ours
    contradictions = [
        f"{name}={ours[name]} (the run has {theirs.get(name)})"
        for name in ours
        if name not in _FREE and ours[name] != theirs.get(name)
    ]
    if contradictions:
        raise ValueError(
            f"run_dir={folder} holds a run with other settings: "
            f"{', '.join(contradictions)}; use its settings to resume it, or "
            "another run_dir"
        )
    least = theirs["outer_iterations"]
    if ours["outer_iterations"] < least:
        raise ValueError(
            f"outer_iterations={ours['outer_iterations']} is less than the "
            f"{least} of the run in run_dir={folder}; use {least} to resume "
            "it, more to extend it, or another run_dir"
        )


def require_same_classes(
    then: dict[str, dict[str, int]], now: TaskSplits, told: str
) -> None:
    """Refuses a data set that has changed since a run began.

    Args:
        then: split -> class -> examples, as they were.
        now: the tasks as they are.
        told: names the data set and the run.

    Raises:
        ValueError: names a few classes that are others.
    """
    for split, sizes in now.class_sizes.items():
        before = then.get(split, sizes)
        if list(sizes.items()) != list(before.items()):
            other = dict(sorted(sizes.items() ^ before.items())[:3])
            raise ValueError(
                f"{told} has other {split} classes, or other numbers of their "
                f"examples, than when the run began, such as {other}; use "
                "another run_dir, or the data as they were"
            )
