"""Classification data in memory: images sorted by class."""

import dataclasses

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class ClassImages:
    """Images of labelled classes, whatever they come from.

    >>> import numpy as np
    >>> import reptile_tf as rt
    >>> images = np.zeros([5, 28, 28, 1], np.uint8)
    >>> classes = rt.ClassImages.from_labels(images, [7, 7, 9, 9, 9])
    >>> classes.num_classes, classes.sizes.tolist()
    (2, [2, 3])

    Attributes:
        images: uint8 `[examples, height, width, channels]`, sorted by class.
        offsets: int64 `[classes + 1]`; class c owns the rows from offsets[c]
            up to offsets[c + 1].
    """

    images: np.ndarray
    offsets: np.ndarray

    def __post_init__(self):
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(
                "images must be uint8 [examples, height, width, channels]; "
                f"received {self.images.dtype} {list(self.images.shape)}"
            )
        offsets = self.offsets
        if (
            len(offsets) < 2
            or offsets[0] != 0
            or offsets[-1] != len(self.images)
            or np.any(np.diff(offsets) < 1)
        ):
            raise ValueError(
                "offsets must rise from 0 to the number of images "
                f"({len(self.images)}), one class after another; received "
                f"{offsets}"
            )

    @classmethod
    def from_labels(
        cls, images: npt.ArrayLike, labels: npt.ArrayLike
    ) -> "ClassImages":
        """Sorts images by integer label, keeping the order within a class.

        Args:
            images: uint8 `[examples, height, width, channels]`.
            labels: integers `[examples]`; the values that occur are the
                classes.
        """
        images, labels = np.asarray(images), np.asarray(labels)
        if len(images) != len(labels) or not len(labels):
            raise ValueError(
                "images and labels must have the same length, at least 1; "
                f"received {len(images)} and {len(labels)}"
            )
        order = np.argsort(labels, kind="stable")
        _, starts = np.unique(labels[order], return_index=True)
        return cls(
            images[order], np.append(starts, len(labels)).astype(np.int64)
        )

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> np.ndarray:
        """The number of images of each class, int64 `[classes]`."""
        return np.diff(self.offsets)

    def subset(self, classes: npt.ArrayLike) -> "ClassImages":
        """Returns the given classes (integers `[n]`), in the order given."""
        classes = np.asarray(classes, np.int64)
        rows = [np.arange(*self.offsets[c : c + 2]) for c in classes]
        offsets = np.concatenate([[0], np.cumsum(self.sizes[classes])])
        return ClassImages(self.images[np.concatenate(rows)], offsets)

    def split(
        self, first: int, seed: int
    ) -> tuple["ClassImages", "ClassImages"]:
        """Shuffles the classes; returns the first `first`, and the rest.

        Args:
            first: number of classes of the first part, 1..num_classes - 1.
            seed: of the shuffle, 0..2**32 - 1.

        Raises:
            ValueError: `first` or `seed` is out of its range.
        """
        if not 0 < first < self.num_classes:
            raise ValueError(
                f"first must be 1 to {self.num_classes - 1}, so that both "
                f"parts of {self.num_classes} classes have some; received "
                f"{first}"
            )
        if not 0 <= seed < 1 << 32:
            raise ValueError(f"seed must be 0 to 2**32 - 1; received {seed}")
        # NumPy promises never to change what RandomState returns for a seed.
        order = np.random.RandomState(seed).permutation(self.num_classes)
        return self.subset(order[:first]), self.subset(order[first:])

    def with_rotations(self) -> "ClassImages":
        """Adds each class turned by 90, 180 and 270 degrees as new classes."""
        turned = [np.rot90(self.images, k, axes=(1, 2)) for k in range(4)]
        step = len(self.images)
        offsets = [self.offsets[:-1] + k * step for k in range(4)]
        return ClassImages(
            np.concatenate(turned), np.append(np.concatenate(offsets), 4 * step)
        )
