"""How the examples of a data set are held: in memory, or in a mapped file."""

import functools
import pathlib

import numpy as np
import numpy.typing as npt
import tensorflow as tf


class Stored:
    """All examples of a data set; its parts share it, so none is held twice.

    Args:
        rows: `[examples, ...]`.
        path: of the file that holds the rows and nothing else; None if they
            are in memory.
    """

    def __init__(self, rows: np.ndarray, path: pathlib.Path | None = None):
        self.rows, self.path = rows, path

    @functools.cached_property
    def tensor(self) -> tf.Tensor:
        """The rows as one tensor, to which compiled functions refer."""
        with tf.init_scope():  # also where a function is being traced
            if self.path is None:
                made = tf.constant(self.rows)
                if self.rows.dtype.kind in "uif":
                    self.rows = np.asarray(made)  # the same memory
                return made
            # Mapped, so that pages are read when they are gathered from, and
            # given back when memory runs short. DLPack takes no array that
            # cannot be written to; "c" writes to memory, and nobody writes.
            # TensorFlow's own operation for it, ImmutableConst, would be folded
            # as a constant, for which all of the file is copied once.
            rows = np.memmap(
                self.path, self.rows.dtype, "c", shape=self.rows.shape
            )
            return tf.experimental.dlpack.from_dlpack(rows.__dlpack__())


def plain(examples: npt.ArrayLike) -> np.ndarray:
    """Returns examples in a dtype that models take; refuses what has none."""
    given = np.asarray(examples)
    kind, wide = given.dtype.kind, given.dtype.itemsize > 4
    if kind in "USO":
        kinds = set() if kind != "O" else {type(x) for x in given.flat}
        if kinds <= {str, bytes}:
            return given
    elif kind == "b" or (kind == "f" and wide):
        return given.astype(np.float32, copy=False)
    elif kind == "f" or (kind in "iu" and given.dtype.itemsize < 4):
        return given
    elif kind in "iu":
        least, most = (given.min(), given.max()) if given.size else (0, 0)
        if np.iinfo(np.int32).min <= least and most <= np.iinfo(np.int32).max:
            return given.astype(np.int32, copy=False)
        raise ValueError(
            "examples must be integers of 32 bits, or floats; received "
            f"{least} to {most}"
        )
    raise ValueError(
        "examples must be an array of numbers or of strings, all of one shape; "
        f"received {given.dtype} {list(given.shape)}"
    )


def require_finite(rows: np.ndarray) -> None:
    """Refuses floats that are no numbers, which would end any training.

    Args:
        rows: `[examples, ...]`, sorted by class, in memory.

    Raises:
        ValueError: names the first such number's place.
    """
    if rows.dtype.kind != "f" or not rows.size:
        return
    if not np.isfinite([rows.min(), rows.max()]).all():
        place = np.argwhere(~np.isfinite(rows))[0]
        raise ValueError(
            "examples must be finite numbers; sorted by class, "
            f"examples[{', '.join(map(str, place))}] is {rows[tuple(place)]}"
        )
