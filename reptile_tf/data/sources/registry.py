"""Data sources by name.

A source of your own is registered in the same way as those in
`reptile_tf.data.sources`; its name then works wherever a data set is named.
"""

import os
import pathlib
from typing import Any

from reptile_tf.data.sources.source import ClassSource, Folder, Source
from reptile_tf.data.splits import ClassSplits, TaskSplits
from reptile_tf.data.task_settings import TaskSettings

_SOURCES: dict[str, Source] = {}


def register(source: Source) -> None:
    """Makes a source known by its name.

    Raises:
        ValueError: the name is taken.
    """
    if source.name in _SOURCES:
        raise ValueError(f"there is a data source named {source.name!r}")
    _SOURCES[source.name] = source


def get(name: str) -> Source:
    """Returns the source of a data set's name.

    Raises:
        ValueError: there is none.
    """
    family, colon, rest = name.partition(":")
    known = _SOURCES.get(name) or (
        _SOURCES.get(family + colon) if rest else None
    )
    if known is None:
        names = [
            f"{n}{'PATH' if n == 'folder:' else 'NAME'}" if n[-1] == ":" else n
            for n in _SOURCES
        ]
        hint = ""
        if os.sep in name or pathlib.Path(name or ":").exists():
            hint = f"; for a folder of pictures write folder:{name}"
        raise ValueError(
            f"dataset must be one of {', '.join(names)}; received "
            f"{name!r}{hint}"
        )
    return known


def load_classes(
    name: str, data_dir: Folder = None, *, seed: int = 0, **settings: Any
) -> ClassSplits:
    """Returns the training, the validation and the test classes of a data set.

    >>> import reptile_tf as rt
    >>> train, validation, test = rt.load_classes("glyphs")
    >>> train.num_classes, validation.num_classes, test.num_classes
    (647, 162, 203)

    Args:
        name: of the data set, as --dataset takes it: "folder:PATH", "omniglot",
            "mini_imagenet", "glyphs" or "tfds:NAME".
        data_dir: TFDS's data_dir, TFDS's default if None; folders and glyphs
            have none.
        seed: of the split by class.
        **settings: more of `reptile_tf.data.task_settings.TaskSettings`, such
            as `image_size`.

    Returns:
        The three splits. There are no validation classes (None) where none are
        held out, as with "omniglot" unless `validation_classes` is given.

    Raises:
        ValueError: the name is unknown or not of labelled classes, or the data
            are not there or not whole.
    """
    source = get(name)
    if not isinstance(source, ClassSource):
        raise ValueError(
            f"dataset={name} makes tasks on the fly; it has no classes to load"
        )
    least = {"ways": 2, "shots": 1, "training_shots": 1, "query_shots": 0}
    wanted = TaskSettings(dataset=name, **(least | settings))
    source.require_used(wanted)
    return ClassSplits(*source.load(wanted, seed, data_dir))


def load_tasks(
    name: str,
    data_dir: Folder = None,
    *,
    ways: int = 5,
    shots: int = 5,
    training_shots: int | None = None,
    seed: int = 0,
    **settings: Any,
) -> TaskSplits:
    """Returns the training, the validation and the test tasks of a data set.

    >>> import reptile_tf as rt
    >>> train, validation, test = rt.load_tasks("glyphs", ways=5, shots=1)
    >>> test.sample(0).support_x.shape
    TensorShape([5, 28, 28, 1])

    Args:
        name: of the data set, as --dataset takes it: "folder:PATH", "omniglot",
            "mini_imagenet", "glyphs", "sine" or "tfds:NAME".
        data_dir: as of `load_classes`.
        ways: N, the classes of a task.
        shots: K, examples of each class in the support set of a validation or
            test task.
        training_shots: the same of a training task; `shots` if None.
        seed: of the split by class and of all sequences of tasks.
        **settings: more of `reptile_tf.data.task_settings.TaskSettings`, such
            as `query_shots` or `image_size`.

    Returns:
        The three splits. Where no validation classes are held out, as with
        "omniglot" unless `validation_classes` is given, validation tasks are of
        training classes, and `held_out` is False.

    Raises:
        ValueError: the name is unknown, the data are not there or not whole, or
            the tasks ask more of them than there is.
    """
    wanted = TaskSettings(
        dataset=name,
        ways=ways,
        shots=shots,
        training_shots=shots if training_shots is None else training_shots,
        **settings,
    )
    source = get(name)
    source.require_used(wanted)
    return source.tasks(wanted, seed, data_dir)
