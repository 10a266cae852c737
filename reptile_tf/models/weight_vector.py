"""Tensors as one vector, and a vector as the tensors that it is made of."""

from collections.abc import Sequence

import tensorflow as tf

# Elements from which on a tensor is a part of its own, see `cut`.
_LARGE = 4096


class WeightVector:
    """How weights of known shapes lie in one vector.

    Args:
        shapes: of the weights, in their order.
        fixed: for each weight, whether inner steps leave it as it is; they
            move all if None.

    Attributes:
        adapts: for each part of `cut`, whether inner steps move it.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        fixed: Sequence[bool] | None = None,
    ):
        self._shapes = list(shapes)
        self._sizes = [tf.TensorShape(s).num_elements() for s in self._shapes]
        fixed = [False] * len(self._shapes) if fixed is None else fixed
        # Which weights each part is made of.
        self._groups: list[list[int]] = []
        self.adapts: list[bool] = []
        for kind in (False, True):
            own = [i for i, is_fixed in enumerate(fixed) if is_fixed == kind]
            groups = [[i] for i in own if self._sizes[i] >= _LARGE]
            small = [i for i in own if self._sizes[i] < _LARGE]
            groups += [small] if small else []
            self._groups += groups
            self.adapts += [not kind] * len(groups)

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
        together, as each operation has its cost; those that inner steps move
        are apart from those that they leave.
        """
        return self._parts(self.unflatten(vector))

    def _parts(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the parts that tensors shaped like the weights make."""
        return [
            tensors[group[0]]
            if self._is_large(group)
            else self.flatten([tensors[i] for i in group])
            for group in self._groups
        ]

    def adapting_parts(self, parts: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns those of the parts that inner steps move."""
        return [
            p for p, adapts in zip(parts, self.adapts, strict=True) if adapts
        ]

    def with_adapted(
        self, parts: list[tf.Tensor], adapting: list[tf.Tensor]
    ) -> list[tf.Tensor]:
        """Returns the parts, with others in place of the adapting ones.

        Args:
            parts: all of them, as `cut` makes them.
            adapting: as `adapting_parts` returns them.
        """
        left = iter(adapting)
        return [
            next(left) if adapts else p
            for p, adapts in zip(parts, self.adapts, strict=True)
        ]

    def join(self, parts: list[tf.Tensor]) -> tf.Tensor:
        """Returns the vector that was cut into `parts`."""
        return self.flatten(self._tensors(parts))

    def _tensors(self, parts) -> list[tf.Tensor]:
        """Returns tensors shaped like the trainable weights."""
        tensors = {}
        for group, part in zip(self._groups, parts, strict=True):
            if self._is_large(group):
                tensors[group[0]] = part
                continue
            small = tf.split(part, [self._sizes[i] for i in group])
            for i, values in zip(group, small, strict=True):
                tensors[i] = tf.reshape(values, self._shapes[i])
        return [tensors[i] for i in range(len(tensors))]

    def _is_large(self, group: list[int]) -> bool:
        return self._sizes[group[0]] >= _LARGE
