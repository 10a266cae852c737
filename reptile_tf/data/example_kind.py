"""What the examples of a data set are, apart from which."""

import contextlib
import dataclasses

import tensorflow as tf

from reptile_tf.data.images import to_inputs


@dataclasses.dataclass(frozen=True)
class ExampleKind:
    """What a compiled function has to know of examples that it is given.

    Attributes:
        dtype: of the examples, as they are stored; its name.
        shape: of one example.
        pictures: whether models see them as float32 in [0, 1].
        mapped: whether they lie in a file.
    """

    dtype: str
    shape: tuple[int, ...]
    pictures: bool
    mapped: bool

    def inputs(self, examples: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Returns some of the examples as models see them, `[n, ...]`.

        Args:
            examples: all of them, `[examples, ...]`.
            rows: integers `[n]`.
        """
        # A GPU would be given the whole file.
        place = tf.device("CPU") if self.mapped else contextlib.nullcontext()
        with place:
            chosen = tf.gather(examples, rows)
        return to_inputs(chosen, self.pictures)
