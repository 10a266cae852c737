"""What a data source is: where tasks come from, and what is known of them."""

import abc
import dataclasses
import os
from collections.abc import Callable

from reptile_tf.data.augmentation import NAMED as AUGMENTATIONS
from reptile_tf.data.episodes import Augmentation, Episodes
from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.splits import ClassSplits, TaskSplits
from reptile_tf.data.task import Tasks
from reptile_tf.data.task_settings import TaskSettings
from reptile_tf.data.varied_episodes import VariedEpisodes

# Added to a seed, so that test and validation tasks are other sequences than
# training tasks even where they are drawn from one distribution.
_TEST_STREAM = 1 << 32
_VALIDATION_STREAM = 2 << 32
_SEEN_STREAM = 3 << 32

Folder = str | os.PathLike | None


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
        ink: of its drawings, as `reptile_tf.data.picture.Preparation` has it;
            None if its examples are no drawings.
        without_effect: the names of settings that it does not look at, and
            that are refused where they are given all the same.
    """

    name: str
    loss: str | None = None
    metric: str | None = None
    uint8_images: bool = False
    ink: str | None = None
    without_effect: frozenset[str] = frozenset()

    @abc.abstractmethod
    def tasks(
        self, settings: TaskSettings, seed: int, data_dir: Folder = None
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
    def support_size(self, settings: TaskSettings) -> int | None:
        """Returns S, the support examples of a training task, if it is one."""

    @abc.abstractmethod
    def query_size(self, settings: TaskSettings) -> int:
        """Returns Q, the query examples of a training task."""

    def require_used(self, settings: TaskSettings) -> None:
        """Refuses settings that would have no effect.

        Raises:
            ValueError: a setting without effect is not at its default.
        """
        for field in dataclasses.fields(TaskSettings):
            value = getattr(settings, field.name)
            if field.name in self.without_effect and value != field.default:
                raise ValueError(
                    f"{field.name}={value} has no use with "
                    f"dataset={settings.dataset}, which does not look at it; "
                    f"leave {field.name} out"
                )

    def resize(self, settings: TaskSettings) -> str:
        """Returns how pictures were brought to the size of its images.

        One of `reptile_tf.data.preparation.RESIZES`; users' own pictures are
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
        holds_out: whether it holds classes out for validation where the setting
            `validation_classes` is not given.
        resized: settings -> how its pictures were resized, a word of
            `reptile_tf.data.preparation.RESIZES`; nearest neighbour if None.
    """

    load: Callable[
        [TaskSettings, int, Folder],
        tuple[LabelledExamples, LabelledExamples | None, LabelledExamples],
    ] = dataclasses.field(kw_only=True)
    holds_out: bool = True
    resized: Callable[[TaskSettings], str] | None = None
    uint8_images: bool = True

    def tasks(
        self, settings: TaskSettings, seed: int, data_dir: Folder = None
    ) -> TaskSplits:
        """Returns episodes of the training, validation and test classes."""
        splits = ClassSplits(*self.load(settings, seed, data_dir))
        augment = AUGMENTATIONS[settings.augmentation]
        sizes = {
            split: dict(zip(classes.names, classes.sizes.tolist(), strict=True))
            for split, classes in splits._asdict().items()
            if classes is not None
        }

        def evaluated(classes: LabelledExamples, stream: int) -> Tasks:
            if settings.max_ways is not None:
                return _varied(classes, settings, seed + stream)
            return _episodes(classes, settings, "shots", 1, seed + stream)

        train: Tasks
        if settings.max_ways is not None:
            train = _varied(splits.train, settings, seed, augment)
        else:
            train = _episodes(
                splits.train,
                settings,
                "training_shots",
                settings.query_shots,
                seed,
                augment,
            )
        seen = evaluated(splits.train, _SEEN_STREAM)
        validation = seen
        if splits.validation is not None:
            validation = evaluated(splits.validation, _VALIDATION_STREAM)
        test = evaluated(splits.test, _TEST_STREAM)
        return TaskSplits(train, validation, test, seen, sizes)

    def outputs(self, settings: TaskSettings) -> int:
        """Returns N, one logit for each class."""
        return settings.max_ways or settings.ways

    def support_size(self, settings: TaskSettings) -> int | None:
        """Returns the support examples of all N classes; None if they vary."""
        if settings.max_ways is not None:
            return None
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
        self, settings: TaskSettings, seed: int, data_dir: Folder = None
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


def _varied(
    classes: LabelledExamples,
    settings: TaskSettings,
    seed: int,
    augment: Augmentation | None = None,
) -> VariedEpisodes:
    most = settings.max_ways
    return VariedEpisodes(
        classes, settings.ways, most, seed=seed, augment=augment
    )


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
        most = size - query_shots
        remedy = f"use {name}={most} at most"
        if most < 1:
            remedy = f"leave out classes of fewer than {shots + query_shots}"
        raise ValueError(
            f"{name}={shots}, with query_shots={query_shots} examples more for "
            f"the query set, is more than the {size} examples that a class of "
            f"{settings.dataset} has; {remedy}"
        )
    return Episodes(classes, settings.ways, shots, query_shots, seed, augment)
