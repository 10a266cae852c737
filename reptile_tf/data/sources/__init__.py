"""The data sources that come with the package.

Each is loaded when it is used: TFDS, and what draws the glyphs, take seconds
to import.
"""

import os

from reptile_tf.data.classes import ClassImages
from reptile_tf.data.sine import QUERIES, SineWaves
from reptile_tf.data.sources.registry import (
    ClassSource,
    Source,
    TaskSource,
    get,
    load_classes,
    register,
)

__all__ = [
    "ClassSource",
    "Source",
    "TaskSource",
    "get",
    "load_classes",
    "register",
]

_Classes = tuple[ClassImages, ClassImages]
_Folder = str | os.PathLike | None


def _glyphs(name: str, data_dir: _Folder, split: str, seed: int) -> _Classes:
    from reptile_tf.data.sources import glyphs

    return glyphs.load(seed)


def _omniglot(name: str, data_dir: _Folder, split: str, seed: int) -> _Classes:
    from reptile_tf.data.sources import omniglot

    return omniglot.load(data_dir, split, seed)


def _tfds(name: str, data_dir: _Folder, split: str, seed: int) -> _Classes:
    from reptile_tf.data.sources import tfds_images

    return tfds_images.load_named(name.removeprefix("tfds:"), data_dir, seed)


register(ClassSource("omniglot", load=_omniglot))
register(ClassSource("glyphs", load=_glyphs))
register(
    TaskSource(
        "sine",
        loss="MeanSquaredError",
        metric="MeanSquaredError",
        make=SineWaves,
        queries=QUERIES,
    )
)
register(ClassSource("tfds:", load=_tfds))
