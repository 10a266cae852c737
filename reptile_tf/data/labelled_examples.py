"""Labelled examples of any kind, class by class, in memory or in a file."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reptile_tf.data.example_kind import ExampleKind
from reptile_tf.data.images import are_pictures
from reptile_tf.data.stored import Stored, plain, require_finite
from reptile_tf.utils.paths import local


class LabelledExamples:
    """Examples of labelled classes, of any dtype and shape.

    Images, rows of a table, token ids, spectrograms: whatever a Keras model
    takes. Models are given pictures of uint8 as float32 between 0 and 1, and
    other numbers as they are: as float32, or as int32.

    >>> import numpy as np
    >>> import reptile_tf as rt
    >>> rows = np.random.default_rng(0).normal(size=[5, 3])
    >>> animals = ["cat", "cat", "ant", "ant", "ant"]
    >>> classes = rt.LabelledExamples.from_labels(rows, animals)
    >>> classes
    LabelledExamples(2 classes of 2 to 3 examples, float32 [3])
    >>> classes.names, classes[0].shape
    (('ant', 'cat'), (3, 3))

    Args:
        examples: `[examples, ...]`, sorted by class. Floats of 64 bits become
            float32, and integers of 64 bits int32.
        offsets: integers `[classes + 1]`; class c owns the rows from
            offsets[c] up to offsets[c + 1].
        names: of the classes; "0", "1", ... if None.
        pictures: whether uint8 examples are pictures, and not numbers such as
            token ids. If None, those `[height, width, channels]` with 1, 3 or
            4 channels are, and those of one dimension are not; others must be
            told.

    Attributes:
        pictures: whether models are given the examples as float32 in [0, 1].
        names: of the classes, in their order.
        starts: the row of each class's first example, int64 `[classes]`.
        sizes: the number of examples of each class, int64 `[classes]`.

    Raises:
        ValueError: an argument does not fit the others, or the examples are
            nothing that a model could take.
    """

    def __init__(
        self,
        examples: npt.ArrayLike,
        offsets: npt.ArrayLike,
        names: Sequence[str] | None = None,
        pictures: bool | None = None,
    ):
        rows = plain(examples)
        require_finite(rows)
        self._set(Stored(rows), np.asarray(offsets), names, pictures)

    @classmethod
    def from_labels(
        cls,
        examples: npt.ArrayLike,
        labels: npt.ArrayLike,
        names: Sequence[str] | None = None,
        pictures: bool | None = None,
    ) -> "LabelledExamples":
        """Sorts examples by label, keeping the order within a class.

        Args:
            examples: `[examples, ...]`.
            labels: integers or strings `[examples]`; the values that occur are
                the classes, in rising order.
            names: of those classes; the labels themselves if None.
            pictures: as of `LabelledExamples`.

        Raises:
            ValueError: there is not one label for each example.
        """
        examples, labels = np.asarray(examples), np.asarray(labels)
        lengths = [x.shape[0] if x.ndim else 0 for x in (examples, labels)]
        if lengths[0] != lengths[1] or not lengths[0]:
            raise ValueError(
                "examples and labels must have the same length, at least 1; "
                f"received {lengths[0]} and {lengths[1]}"
            )
        if labels.ndim != 1 or labels.dtype.kind not in "iuUSOb":
            raise ValueError(
                "labels must be integers or strings, one for each example; "
                f"received {labels.dtype} {list(labels.shape)}"
            )
        if labels.dtype.kind == "O":  # as strings of pandas are
            known = str | bytes | int | np.integer
            missing = sum(not isinstance(x, known) for x in labels)
            if missing:
                raise ValueError(
                    "labels must be integers or strings; received "
                    f"{missing:,} of another kind, such as None or NaN: leave "
                    "out the examples without a label"
                )
            texts = any(isinstance(x, str | bytes) for x in labels)
            labels = np.array([_name(x) if texts else int(x) for x in labels])
        found, starts = np.unique(np.sort(labels), return_index=True)
        order = np.argsort(labels, kind="stable")
        if names is None:
            names = [_name(label) for label in found.tolist()]
        return cls(examples[order], [*starts, len(labels)], names, pictures)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike,
        dtype: npt.DTypeLike,
        shape: Sequence[int],
        offsets: npt.ArrayLike,
        names: Sequence[str] | None = None,
        pictures: bool | None = None,
    ) -> "LabelledExamples":
        """Returns examples that lie in a file, and are mapped, not read.

        They may be more than there is memory for. The file must not change
        while it is in use.

        Args:
            path: of the file, which holds the bytes of the examples, one after
                another, sorted by class, and nothing else.
            dtype: of the examples, at most 32 bits wide.
            shape: of one example.
            offsets: as of `LabelledExamples`.
            names: as of `LabelledExamples`.
            pictures: as of `LabelledExamples`.

        Raises:
            ValueError: the file is not as long as the examples.
        """
        path, dtype = local("path", path), np.dtype(dtype)
        known = dtype.kind in "uif" and dtype.itemsize <= 4 and dtype.isnative
        if not known or dtype == np.uint32:
            raise ValueError(
                f"dtype={dtype.str} cannot be mapped; use numbers of at most "
                "32 bits in the machine's byte order, such as uint8, int32 or "
                "float32"
            )
        offsets = np.asarray(offsets)
        total = int(offsets[-1]) if offsets.size else 0
        length = dtype.itemsize * total * int(np.prod(shape))
        if not total or path.stat().st_size != length:
            raise ValueError(
                f"{path} must have {length} bytes, for {total} examples of "
                f"{dtype} {list(shape)}; it has {path.stat().st_size}"
            )
        rows = np.memmap(path, dtype, "r", shape=(total, *shape))
        made = cls.__new__(cls)
        made._set(Stored(rows, path), offsets, names, pictures)
        return made

    def _set(self, stored, offsets, names, pictures):
        if (
            offsets.ndim != 1
            or len(offsets) < 2
            or offsets[0] != 0
            or offsets[-1] != len(stored.rows)
            or np.any(np.diff(offsets) < 1)
        ):
            raise ValueError(
                "offsets must rise from 0 to the number of examples "
                f"({len(stored.rows)}), one class after another; received "
                f"{offsets}"
            )
        if names is None:
            names = [str(c) for c in range(len(offsets) - 1)]
        self.names = tuple(names)
        if len(self.names) != len(offsets) - 1:
            raise ValueError(
                f"names must be {len(offsets) - 1}, one for each class; "
                f"received {len(self.names)}"
            )
        rows = stored.rows
        self.pictures = are_pictures(rows.dtype, rows.shape[1:], pictures)
        self._stored = stored
        self.starts = offsets[:-1].astype(np.int64)
        self.sizes = np.diff(offsets).astype(np.int64)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.sizes)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self._stored.rows.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the examples, as they are stored."""
        return self._stored.rows.dtype

    @property
    def offsets(self) -> np.ndarray:
        """Where each class begins and ends in `examples`, `[classes + 1]`."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    @property
    def examples(self) -> np.ndarray:
        """All examples, class by class, `[n, ...]`.

        For looking at: of a part of a data set it is a copy in memory.
        """
        rows = self._stored.rows
        if self.sizes.sum() == len(rows) and np.all(np.diff(self.starts) > 0):
            return rows
        return np.concatenate([self[c] for c in range(self.num_classes)])

    @property
    def kind(self) -> ExampleKind:
        """What the examples are, apart from which."""
        return ExampleKind(
            self.dtype.str,
            self.example_shape,
            self.pictures,
            self._stored.path is not None,
        )

    @property
    def ingredients(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """All examples, and each class's first row and number of rows."""
        starts, sizes = (
            tf.constant(rows, tf.int32) for rows in (self.starts, self.sizes)
        )
        return self._stored.tensor, starts, sizes

    def __getitem__(self, c: int) -> np.ndarray:
        """Returns the examples of class number c, `[n, ...]`."""
        start = self.starts[c]
        return self._stored.rows[start : start + self.sizes[c]]

    def __repr__(self) -> str:
        least, most = self.sizes.min(), self.sizes.max()
        sizes = f"{least}" if least == most else f"{least} to {most}"
        what = "pictures" if self.pictures else "examples"
        return (
            f"LabelledExamples({self.num_classes} classes of {sizes} {what}, "
            f"{self.dtype} {list(self.example_shape)})"
        )

    def subset(self, classes: npt.ArrayLike) -> "LabelledExamples":
        """Returns the given classes (integers `[n]`), in the order given.

        The examples are not copied.
        """
        chosen = np.asarray(classes)
        if chosen.dtype == bool and len(chosen) == self.num_classes:
            chosen = np.flatnonzero(chosen)
        elif chosen.size and chosen.dtype.kind not in "iu":
            raise ValueError(
                "classes must be the numbers of classes, integers; received "
                f"{chosen.dtype}"
            )
        chosen = chosen.astype(np.int64)
        part = type(self).__new__(type(self))
        part._stored, part.pictures = self._stored, self.pictures
        part.starts, part.sizes = self.starts[chosen], self.sizes[chosen]
        part.names = tuple(self.names[c] for c in chosen)
        return part

    def split(
        self, first: int, seed: int
    ) -> tuple["LabelledExamples", "LabelledExamples"]:
        """Shuffles the classes; returns the first `first`, and the rest.

        Args:
            first: number of classes of the first part, 1..num_classes - 1.
            seed: of the shuffle, 0..2**32 - 1.

        Raises:
            ValueError: `first` or `seed` is out of its range.
        """
        if first not in range(1, self.num_classes):
            raise ValueError(
                f"first must be a whole number, 1 to {self.num_classes - 1}, "
                f"so that both parts of {self.num_classes} classes have some; "
                "received "
                f"{first}"
            )
        if not 0 <= seed < 1 << 32:
            raise ValueError(f"seed must be 0 to 2**32 - 1; received {seed}")
        # NumPy promises never to change what RandomState returns for a seed.
        order = np.random.RandomState(seed).permutation(self.num_classes)
        return self.subset(order[:first]), self.subset(order[first:])

    def with_rotations(self) -> "LabelledExamples":
        """Adds each class turned by 90, 180 and 270 degrees as new classes.

        The examples must be images; they are copied into memory.
        """
        images = self.examples
        turned = [np.rot90(images, k, axes=(1, 2)) for k in range(4)]
        sizes = np.tile(self.sizes, 4)
        names = [*self.names]
        for degrees in (90, 180, 270):
            names += [f"{name} turned by {degrees}" for name in self.names]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        whole = np.concatenate(turned)
        return LabelledExamples(whole, offsets, names, self.pictures)


# The name until version 0.2, when all examples were images.
ClassImages = LabelledExamples


def _name(label: str | bytes | int) -> str:
    return label.decode() if isinstance(label, bytes) else str(label)
