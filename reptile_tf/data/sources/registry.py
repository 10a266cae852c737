"""Data sources by name, with what is to be known of each.

A source of your own is registered in the same way as those in
`reptile_tf.data.sources`; its name then works wherever a data set is named.
"""

import abc
import dataclasses
import os
from collections.abc import Callable

from reptile_tf.data.classes import ClassImages
from reptile_tf.data.episodes import Episodes
from reptile_tf.data.task import Tasks
from reptile_tf.data.task_settings import TaskSettings

# Added to a seed, so that test tasks are another sequence than training tasks
# even where both are drawn from one distribution.
_TEST_STREAM = 1 << 32

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
    ) -> tuple[Tasks, Tasks]:
        """Returns the training tasks and the test tasks.

        Args:
            settings: what the tasks are to be; its `dataset` has this name.
            seed: of the split by class and of both sequences of tasks.
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


@dataclasses.dataclass(frozen=True)
class ClassSource(Source):
    """Labelled images, of which N-way K-shot tasks are made.

    Attributes:
        load: (name, data_dir, split, seed) -> the training and the test
            classes. `name` is the whole name that the user gave.
    """

    load: Callable[
        [str, _Folder, str, int], tuple[ClassImages, ClassImages]
    ] = dataclasses.field(kw_only=True)
    uint8_images: bool = True

    def tasks(
        self, settings: TaskSettings, seed: int, data_dir: _Folder = None
    ) -> tuple[Tasks, Tasks]:
        """Returns episodes of the training classes and of the test classes."""
        train, test = self.load(
            settings.dataset, data_dir, settings.split, seed
        )
        return (
            _episodes(
                train, settings, "training_shots", settings.query_shots, seed
            ),
            _episodes(test, settings, "shots", 1, seed + _TEST_STREAM),
        )

    def outputs(self, settings: TaskSettings) -> int:
        """Returns N, one logit for each class."""
        return settings.ways

    def support_size(self, settings: TaskSettings) -> int:
        """Returns the support examples of all N classes."""
        return settings.training_shots * settings.ways

    def query_size(self, settings: TaskSettings) -> int:
        """Returns the query examples of all N classes."""
        return settings.query_shots * settings.ways


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
    ) -> tuple[Tasks, Tasks]:
        """Returns two sequences of tasks from the same distribution."""
        return (
            self.make(settings.training_shots, seed),
            self.make(settings.shots, seed + _TEST_STREAM),
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
    family, colon, _ = name.partition(":")
    known = _SOURCES.get(name) or _SOURCES.get(family + colon)
    if known is None:
        names = [f"{n}NAME" if n.endswith(":") else n for n in _SOURCES]
        raise ValueError(
            f"dataset must be one of {', '.join(names)}; received {name!r}"
        )
    return known


def load_classes(
    name: str,
    data_dir: _Folder = None,
    *,
    split: str = "characters",
    seed: int = 0,
) -> tuple[ClassImages, ClassImages]:
    """Returns the training and the test classes of a data set.

    Args:
        name: "glyphs" (made here, from a font), "omniglot", or "tfds:NAME" for
            an image-classification set of TFDS. Four fifths of the classes of
            the first and the last are for training.
        data_dir: TFDS's data_dir, TFDS's default if None; glyphs have none.
        split: Omniglot's: "characters" (seeded, the paper's) or "alphabets".
        seed: of the split by class.

    Raises:
        ValueError: the name is unknown or not of labelled classes, or the data
            are not there or not whole.
    """
    source = get(name)
    if not isinstance(source, ClassSource):
        raise ValueError(
            f"dataset={name} makes tasks on the fly; it has no classes to load"
        )
    return source.load(name, data_dir, split, seed)


def _episodes(
    classes: ClassImages,
    settings: TaskSettings,
    name: str,
    query_shots: int,
    seed: int,
) -> Episodes:
    """Returns episodes with the shots of setting `name`; errors name it."""
    shots = getattr(settings, name)
    size = int(classes.sizes.min())
    if shots + query_shots > size:
        raise ValueError(
            f"{name}={shots}, with query_shots={query_shots} images more for "
            f"the query set, is more than the {size} images that a class of "
            f"{settings.dataset} has; use at most {size - query_shots}"
        )
    return Episodes(classes, settings.ways, shots, query_shots, seed)
