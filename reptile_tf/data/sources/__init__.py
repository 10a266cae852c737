"""The data sources that come with the package.

Each is loaded when it is used: TFDS, and what draws the glyphs, take seconds
to import.
"""

import importlib
import os
from collections.abc import Callable

from reptile_tf.data.sine import QUERIES, SineWaves
from reptile_tf.data.sources.registry import (
    get,
    load_classes,
    load_tasks,
    register,
)
from reptile_tf.data.sources.source import ClassSource, Source, TaskSource
from reptile_tf.data.splits import ClassSplits
from reptile_tf.data.task_settings import TaskSettings
from reptile_tf.utils.log import root_logger_kept

__all__ = [
    "ClassSource",
    "Source",
    "TaskSource",
    "get",
    "load_classes",
    "load_tasks",
    "register",
]


def _loader(module: str, function: str = "load") -> Callable[..., ClassSplits]:
    """Returns a function of one of this folder's modules, imported when used.

    Args:
        module: its name.
        function: (settings, seed, data_dir) -> the classes.
    """

    def load(
        settings: TaskSettings, seed: int, data_dir: str | os.PathLike | None
    ) -> ClassSplits:
        with root_logger_kept():
            found = importlib.import_module(f"{__name__}.{module}")
            return getattr(found, function)(settings, seed, data_dir)

    return load


# The settings that some sources alone look at.
_OMNIGLOT = frozenset({"omniglot_split"})
_MINI_IMAGENET = frozenset({"manual_dir", "allow_partial"})
_TFDS = frozenset({"label_key"})
_FOLDER = frozenset(
    {
        *("channels", "resize", "csv", "csv_columns", "merge_splits"),
        "skip_unreadable",
    }
)
_SPECIAL = _OMNIGLOT | _MINI_IMAGENET | _TFDS | _FOLDER | {"image_size"}

register(
    ClassSource(
        "folder:",
        load=_loader("image_folder"),
        resized=lambda settings: settings.resize,
        without_effect=_SPECIAL - _FOLDER - {"image_size"},
    )
)
register(
    ClassSource(
        "omniglot",
        load=_loader("omniglot"),
        ink="dark",
        holds_out=False,  # as in the paper
        without_effect=_SPECIAL - _OMNIGLOT,
    )
)
register(
    ClassSource(
        "mini_imagenet",
        load=_loader("mini_imagenet"),
        resized=lambda settings: "squash",
        without_effect=_SPECIAL - _MINI_IMAGENET,
    )
)
register(
    ClassSource(
        "glyphs", load=_loader("glyphs"), ink="dark", without_effect=_SPECIAL
    )
)
register(
    TaskSource(
        "sine",
        loss="MeanSquaredError",
        metric="MeanSquaredError",
        make=SineWaves,
        queries=QUERIES,
        without_effect=_SPECIAL
        | {"ways", "max_ways", "query_shots", "augmentation"}
        | {"validation_classes"},
    )
)
register(
    ClassSource(
        "tfds:",
        load=_loader("tfds_images", "load_named"),
        without_effect=_SPECIAL - _TFDS - {"image_size"},
    )
)
