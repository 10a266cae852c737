"""Tensors as one vector, and a vector as the tensors that it is made of."""

from collections.abc import Sequence

import tensorflow as tf

# Elements from which on a tensor is a part of its own, see `cut`.
_LARGE = 4096


class WeightVector:
    """How weights of known shapes lie in one vector.

    Args:
        shapes: of the weights, in their order.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]):
        self._shapes = list(shapes)
        self._sizes = [tf.TensorShape(s).num_elements() for s in self._shapes]
        self._large = [i for i, n in enumerate(self._sizes) if n >= _LARGE]
        self._small = [i for i, n in enumerate(self._sizes) if n < _LARGE]

    @property
    def size(self) -> int:
        """Length of the weight vector."""
        return sum(self._sizes)

    def flatten(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """Joins tensors into one vector."""
        return tf.concat([tf.reshape(t, [-1]) for t in tensors], 0)

    def unflatten(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """Cuts a vector into tensors shaped like the trainable weights."""
        parts = tf.split(vector, self._sizes)
        return [
            tf.reshape(p, s) for p, s in zip(parts, self._shapes, strict=True)
        ]

    def cut(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """Cuts a vector into the parts that an inner step works on.

        Large tensors are parts of their own: they need not be copied to be
        joined, nor wait for each other's gradients. Small ones are one part
        together, as each operation has its cost.
        """
        return self._parts(self.unflatten(vector))

    def _parts(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the parts that tensors shaped like the weights make."""
        large = [tensors[i] for i in self._large]
        small = [tensors[i] for i in self._small]
        return large + ([self.flatten(small)] if small else [])

    def join(self, parts: list[tf.Tensor]) -> tf.Tensor:
        """Returns the vector that was cut into `parts`."""
        return self.flatten(self._tensors(parts))

    def _tensors(self, parts) -> list[tf.Tensor]:
        """Returns tensors shaped like the trainable weights."""
        tensors = dict(zip(self._large, parts, strict=False))
        if self._small:
            small = tf.split(parts[-1], [self._sizes[i] for i in self._small])
            for i, values in zip(self._small, small, strict=True):
                tensors[i] = tf.reshape(values, self._shapes[i])
        return [tensors[i] for i in range(len(tensors))]
