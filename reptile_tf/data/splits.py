"""Training, validation and test: of classes, and of the tasks made of them.

Classes are divided, not examples: a class of one split occurs in no other.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from reptile_tf.data.labelled_examples import LabelledExamples
from reptile_tf.data.task import Tasks
from reptile_tf.data.task_settings import SPLITS
from reptile_tf.utils.validation import require_choice


class ClassSplits(NamedTuple):
    """The classes of a data set, divided.

    Attributes:
        train: the classes to learn from.
        validation: the classes to watch a training by, and to choose between
            settings; None if none are held out of the training classes.
        test: the classes that nothing is chosen by.
    """

    train: LabelledExamples
    validation: LabelledExamples | None
    test: LabelledExamples


@dataclasses.dataclass(frozen=True)
class TaskSplits:
    """The tasks of a data set; `train, validation, test = ...` takes them out.

    Attributes:
        train: the tasks to learn from.
        validation: the tasks to watch a training by; `seen` where no classes
            are held out for them.
        test: the tasks that nothing is chosen by.
        seen: tasks of the training classes, as large as a test task.
        class_sizes: split -> name of a class -> number of its examples; empty
            where there are no classes.
    """

    train: Tasks
    validation: Tasks
    test: Tasks
    seen: Tasks
    class_sizes: Mapping[str, dict[str, int]] = dataclasses.field(
        default_factory=dict, repr=False
    )

    def __iter__(self) -> Iterator[Tasks]:
        return iter((self.train, self.validation, self.test))

    @property
    def held_out(self) -> bool:
        """Whether the validation tasks are others than training tasks are."""
        return self.validation is not self.seen

    def along_the_way(self) -> str:
        """Returns what accuracies along a training are measured on."""
        kind = "classes" if self.class_sizes else "tasks"
        return f"{'validation' if self.held_out else 'training'} {kind}"

    def evaluated(self, split: str) -> Tasks:
        """Returns the tasks that an evaluation on a split measures on.

        Args:
            split: "train", "validation" or "test".

        Raises:
            ValueError: the split is unknown, or no classes are held out for
                validation.
        """
        require_choice(SPLITS, split=split)
        if split == "validation" and not self.held_out:
            raise ValueError(
                "split=validation has no tasks, as no classes were held out of "
                "the training classes; train with validation_classes, or use "
                "split=train"
            )
        return self.seen if split == "train" else getattr(self, split)


def divided(
    count: int, seed: int, validation_classes: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the numbers of the classes of each split, by seed, 64:16:20.

    Args:
        count: the number of classes.
        seed: of the shuffle, 0..2**32 - 1.
        validation_classes: the number of classes for validation; a fifth of
            those that are not for testing if None.

    Raises:
        ValueError: there are too few classes to divide, or `seed` is out of
            its range.
    """
    if count < 3:
        raise ValueError(
            f"{count} classes cannot be divided into training, validation and "
            "test classes: there must be 3 at least, and in each split as many "
            "as a task has ways"
        )
    if not 0 <= seed < 1 << 32:
        raise ValueError(f"seed must be 0 to 2**32 - 1; received {seed}")
    # NumPy promises never to change what RandomState returns for a seed.
    order = np.random.RandomState(seed).permutation(count)
    rest, test = np.split(order, [count * 4 // 5])
    train, validation = np.split(rest, [_left(len(rest), validation_classes)])
    return train, validation, test


def divide(
    classes: LabelledExamples, seed: int, validation_classes: int | None = None
) -> ClassSplits:
    """Divides classes by seed, 64:16:20; see `divided`."""
    numbers = divided(classes.num_classes, seed, validation_classes)
    train, validation, test = map(classes.subset, numbers)
    return ClassSplits(train, validation if len(numbers[1]) else None, test)


def hold_out(
    rest: LabelledExamples,
    test: LabelledExamples,
    validation_classes: int | None,
) -> ClassSplits:
    """Holds the last of the classes that are not for testing out of training.

    Args:
        rest: the classes that are not for testing, in random order.
        test: those that are.
        validation_classes: as of `divided`; none if 0.

    Raises:
        ValueError: none would be left to learn from.
    """
    left = _left(rest.num_classes, validation_classes)
    held = range(left, rest.num_classes)
    return ClassSplits(
        rest.subset(range(left)), rest.subset(held) if held else None, test
    )


def _left(count: int, validation_classes: int | None) -> int:
    """Returns how many of the classes that are not for testing are trained on.

    Raises:
        ValueError: none would be.
    """
    held = validation_classes
    if held is None:
        held = max(1, round(count / 5))
    if not 0 <= held < count:
        raise ValueError(
            f"validation_classes={held} must be 0 to {count - 1}, as there are "
            f"{count} classes that are not for testing"
        )
    return count - held
