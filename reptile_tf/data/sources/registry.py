"""Data sources by name, with what is to be known of each.

A source of your own is registered in the same way as those in
`reptile_tf.data.sources`; its name then works wherever a data set is named.
"""

import abc
import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

from reptile_tf.data.augmentation import NAMED as AUGMENTATIONS
from reptile_tf.data.episodes import Augmentation, Episodes
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.splits import ClassSplits, TaskSplits
from reptile_tf.data.task import Tasks
from reptile_tf.data.task_settings import TaskSettings

# Added to a seed, so that test and validation tasks are other sequences than
# training tasks even where they are drawn from one distribution.
_TEST_STREAM = 1 << 32
_VALIDATION_STREAM = 2 << 32
_SEEN_STREAM = 3 << 32

_Folder = str | os.PathLike | None


@dataclasses.dataclass(frozen=True)
class Source(abc.ABC):
    """Where tasks come from.

    Attributes:
        name: what users call it. A name that ends in a colon stands for every
            name that begins with it, as "tfds:" does for "tfds:cifar100".
        loss: name of the Keras loss that its tasks are learned with; None for
            sparse categorical cross-entropy of logits.
        metric: name of the Keras metric that they are measured by; None for
            accuracy.
        uint8_images: whether the examples were uint8 images, so that an
            exported model is to take such images too.
    """

    name: str
    loss: str | None = None
    metric: str | None = None
    uint8_images: bool = False

    @abc.abstractmethod
    def tasks(
        self, settings: TaskSettings, seed: int, data_dir: _Folder = None
    ) -> TaskSplits:
        """Returns the training, validation and test tasks.

        Args:
            settings: what the tasks are to be; its `dataset` has this name.
            seed: of the split by class and of all sequences of tasks.
            data_dir: TFDS's data_dir; TFDS's default if None.

        Raises:
            ValueError: the data are not there, or the tasks ask more of them
                than there is.
        """

    @abc.abstractmethod
    def outputs(self, settings: TaskSettings) -> int:
        """Returns the number of outputs that a model of its tasks needs."""

    @abc.abstractmethod
    def support_size(self, settings: TaskSettings) -> int:
        """Returns S, the support examples of a training task."""

    @abc.abstractmethod
    def query_size(self, settings: TaskSettings) -> int:
        """Returns Q, the query examples of a training task."""

    def resize(self, settings: TaskSettings) -> str:
        """Returns how pictures were brought to the size of its images.

        One of `reptile_tf.data.image_files.RESIZES`; users' own pictures are
        then prepared in the same way.
        """
        return "nearest"


@dataclasses.dataclass(frozen=True)
class ClassSource(Source):
    """Labelled examples, of which N-way K-shot tasks are made.

    Attributes:
        load: (settings, seed, data_dir) -> the training, the validation and
            the test classes; None for the validation classes if there are
            none. `settings.dataset` is the whole name that the user gave.
        resized: settings -> how its pictures were resized, a word of
            `reptile_tf.data.image_files.RESIZES`; nearest neighbour if None.
    """

    load: Callable[
        [TaskSettings, int, _Folder],
        tuple[LabelledExamples, LabelledExamples | None, LabelledExamples],
    ] = dataclasses.field(kw_only=True)
    resized: Callable[[TaskSettings], str] | None = None
    uint8_images: bool = True

    def tasks(
        self, settings: TaskSettings, seed: int, data_dir: _Folder = None
    ) -> TaskSplits:
        """Returns episodes of the training, validation and test classes."""
        splits = ClassSplits(*self.load(settings, seed, data_dir))
        names = {
            split: list(classes.names)
            for split, classes in splits._asdict().items()
            if classes is not None
        }

        def evaluated(classes: LabelledExamples, stream: int) -> Episodes:
            return _episodes(classes, settings, "shots", 1, seed + stream)

        train = _episodes(
            splits.train,
            settings,
            "training_shots",
            settings.query_shots,
            seed,
            AUGMENTATIONS[settings.augmentation],
        )
        seen = evaluated(splits.train, _SEEN_STREAM)
        validation = seen
        if splits.validation is not None:
            validation = evaluated(splits.validation, _VALIDATION_STREAM)
        test = evaluated(splits.test, _TEST_STREAM)
        return TaskSplits(train, validation, test, seen, names)

    def outputs(self, settings: TaskSettings) -> int:
        """Returns N, one logit for each class."""
        return settings.ways

    def support_size(self, settings: TaskSettings) -> int:
        """Returns the support examples of all N classes."""
        return settings.training_shots * settings.ways

    def query_size(self, settings: TaskSettings) -> int:
        """Returns the query examples of all N classes."""
        return settings.query_shots * settings.ways

    def resize(self, settings: TaskSettings) -> str:
        """Returns how its pictures were brought to their size."""
        return "nearest" if self.resized is None else self.resized(settings)


@dataclasses.dataclass(frozen=True)
class TaskSource(Source):
    """A distribution of tasks that are made on the fly.

    Attributes:
        make: (shots, seed) -> tasks with so many support examples each.
        queries: the number of their query examples.
        targets: the number of values that an example asks for.
    """

    make: Callable[[int, int], Tasks] = dataclasses.field(kw_only=True)
    queries: int = dataclasses.field(kw_only=True)
    targets: int = 1

    def tasks(
        self, settings: TaskSettings, seed: int, data_dir: _Folder = None
    ) -> TaskSplits:
        """Returns three sequences of tasks from the same distribution."""
        return TaskSplits(
            self.make(settings.training_shots, seed),
            self.make(settings.shots, seed + _VALIDATION_STREAM),
            self.make(settings.shots, seed + _TEST_STREAM),
            self.make(settings.shots, seed + _SEEN_STREAM),
        )

    def outputs(self, settings: TaskSettings) -> int:
        """Returns the number of values that an example asks for."""
        return self.targets

    def support_size(self, settings: TaskSettings) -> int:
        """Returns the shots: there are no classes to multiply them by."""
        return settings.training_shots

    def query_size(self, settings: TaskSettings) -> int:
        """Returns the number of query examples, which is fixed."""
        return self.queries


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
    name: str, data_dir: _Folder = None, *, seed: int = 0, **settings: Any
) -> ClassSplits:
    """Returns the training, the validation and the test classes of a data set.

    >>> import reptile_tf as rt
    >>> train, validation, test = rt.load_classes("glyphs")
    >>> train.num_classes, validation.num_classes, test.num_classes
    (640, 160, 200)

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
    return ClassSplits(*source.load(wanted, seed, data_dir))


def load_tasks(
    name: str,
    data_dir: _Folder = None,
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
    return get(name).tasks(wanted, seed, data_dir)


def _episodes(
    classes: LabelledExamples,
    settings: TaskSettings,
    name: str,
    query_shots: int,
    seed: int,
    augment: Augmentation | None = None,
) -> Episodes:
    """Returns episodes with the shots of setting `name`; errors name it."""
    shots = getattr(settings, name)
    size = int(classes.sizes.min())
    if shots + query_shots > size:
        raise ValueError(
            f"{name}={shots}, with query_shots={query_shots} examples more for "
            f"the query set, is more than the {size} examples that a class of "
            f"{settings.dataset} has; use at most {size - query_shots}"
        )
    return Episodes(classes, settings.ways, shots, query_shots, seed, augment)
