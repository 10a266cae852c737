"""A Keras model as a pure function of one weight vector."""

import collections
from collections.abc import Sequence

import keras
import tensorflow as tf

from reptile_tf.models import keras_internals
from reptile_tf.utils import random
from reptile_tf.utils.frozen import Frozen

# Elements from which on a tensor is a part of its own, see `cut`.
_LARGE = 4096


def clone(model: keras.Model) -> keras.Model:
    """Returns a model of the same structure with a copy of the weights."""
    copy = keras.models.clone_model(model)
    if not copy.built:  # subclassed models are cloned from their config alone
        copy.build_from_config(model.get_build_config())
    copy.set_weights(model.get_weights())
    return copy


def output_shape(
    model: keras.Model, input_shape: Sequence[int]
) -> tuple[int, ...]:
    """Returns the shape of a model's output for one example.

    Args:
        model: any Keras model; a subclassed one need not say its shapes.
        input_shape: of the example, without the batch.
    """
    inputs = keras.KerasTensor((1, *input_shape), "float32")
    return tuple(model.compute_output_spec(inputs).shape[1:])


class FunctionalModel(Frozen):
    """Outputs of a Keras model for weights that are tensors, not variables.

    The paper's phi and W~ are vectors; so they are here: the trainable weights,
    flattened and joined in Keras's order. Clones of the model supply the
    forward pass (`stateless_call`), so the model itself is only ever read.

    Args:
        model: any built Keras model whose trainable weights share one dtype.

    Raises:
        ValueError: the model is not built, or its trainable weights are none
            or of several dtypes.
    """

    def __init__(self, model: keras.Model):
        if not model.built:
            raise ValueError(
                f"model {model.name!r} has no weights yet; call "
                "model.build(shape), or call it on one batch, first"
            )
        dtypes = {str(v.dtype) for v in model.trainable_variables}
        if len(dtypes) != 1:
            raise ValueError(
                f"model {model.name!r} must have trainable weights, all of one "
                f"dtype; received {sorted(dtypes) or 'none'}"
            )
        self.model = model
        self.dtype = tf.as_dtype(dtypes.pop())
        self._shapes = [tuple(v.shape) for v in model.trainable_variables]
        self._sizes = [tf.TensorShape(s).num_elements() for s in self._shapes]
        self._large = [i for i, n in enumerate(self._sizes) if n >= _LARGE]
        self._small = [i for i, n in enumerate(self._sizes) if n < _LARGE]
        self._learner = clone(model)
        self._normalizer = clone(model)
        self._calls: collections.Counter[str] = collections.Counter()
        batch_norms = keras_internals.normalize_by_batch(
            self._normalizer, self._calls
        )
        place = {
            id(v): i
            for i, v in enumerate(self._normalizer.non_trainable_variables)
        }
        # Place among the non-trainable weights, and momentum.
        self._moving = [
            (place[id(v)], layer.momentum)
            for layer in batch_norms
            for v in (layer.moving_mean, layer.moving_variance)
        ]
        # Read once, here: TensorFlow runs the iterations of a loop that reads
        # variables one after another, and tasks are to run side by side.
        self._others = [
            tf.convert_to_tensor(v.value)
            for v in self._learner.non_trainable_variables
        ]
        for copy in (self._learner, self._normalizer):
            shapes = [tuple(v.shape) for v in copy.trainable_variables]
            if shapes != self._shapes:
                raise ValueError(
                    f"a clone of model {model.name!r} has trainable weights of "
                    f"shapes {shapes} where the model has {self._shapes}; does "
                    "its get_config return all that its constructor needs?"
                )
        self._freeze()

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
        tensors = self.unflatten(vector)
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

    def phi(self) -> tf.Tensor:
        """Returns the model's trainable weights as a vector."""
        return self.flatten([v.value for v in self.model.trainable_variables])

    def in_training(
        self, parts: list[tf.Tensor], x: tf.Tensor, key: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what an inner step sees: (outputs in training mode, penalty).

        The penalty is the sum of the losses that layers add of themselves, such
        as regularizers, a scalar; 0 without them.

        Args:
            parts: the weight vector, `cut`.
            x: inputs `[batch, ...]`.
            key: int32 `[2]`, from which dropout and other noise follow.
        """
        others = list(self._others)
        for i, variable in enumerate(self._learner.non_trainable_variables):
            # A seed kept in a variable would give every step the same dropout.
            if variable.path.endswith("seed_generator_state"):
                seed = random.fold_in(key, i)
                others[i] = tf.cast(seed & 0x7FFFFFFF, variable.dtype)
        outputs, _, losses = self._learner.stateless_call(
            self._tensors(parts), others, x, training=True, return_losses=True
        )
        # With mixed precision, outputs may be of less than the weights'.
        penalty = tf.cast(sum(losses), self.dtype)
        return tf.cast(outputs, self.dtype), penalty

    def head(self) -> tf.Tensor:
        """Returns a vector that is 1 at the head's weights, 0 elsewhere.

        The head is the last layer with trainable weights on the way to the
        output.

        Raises:
            ValueError: the model is subclassed, and does not say what its last
                layer is, or has several last layers.
        """
        heads = keras_internals.last_layers(self.model)
        if len(heads) != 1:
            raise ValueError(
                f"the head of model {self.model.name!r} must be one layer, the "
                "last one of a functional or sequential model; found "
                f"{sorted(h.name for h in heads) or 'no such model'}"
            )
        own = {id(v) for layer in heads for v in layer.trainable_variables}
        return self.flatten(
            [
                tf.fill(shape, tf.cast(id(v) in own, self.dtype))
                for shape, v in zip(
                    self._shapes, self.model.trainable_variables, strict=True
                )
            ]
        )

    @property
    def has_batch_norm(self) -> bool:
        """Whether outputs depend on which statistics are used."""
        return bool(self._moving)

    def by_batch(self, weights: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Returns the outputs, normalized by the statistics of the batch `x`.

        Everything but batch normalization is in inference mode.
        """
        return self._by_batch(weights, x)[0]

    def statistics(self, weights: tf.Tensor, x: tf.Tensor) -> list[tf.Tensor]:
        """Returns non-trainable weights with moving statistics taken from `x`.

        Args:
            weights: the weight vector.
            x: inputs `[batch, ...]`; the mean and variance of this one batch
                become the moving ones, as if training had long seen no other.
        """
        return self._by_batch(weights, x)[1]

    @property
    def moving(self) -> list[int]:
        """Which of the non-trainable weights are moving statistics."""
        return [i for i, _ in self._moving]

    @property
    def own_statistics(self) -> list[tf.Tensor]:
        """The model's non-trainable weights, as they were at the start."""
        return list(self._others)

    def by_statistics(
        self, weights: tf.Tensor, statistics: Sequence[tf.Tensor], x: tf.Tensor
    ) -> tf.Tensor:
        """Returns the outputs in inference mode for the given statistics."""
        outputs, _ = self._learner.stateless_call(
            self.unflatten(weights), statistics, x, training=False
        )
        return tf.cast(outputs, self.dtype)

    def with_weights(
        self, weights: tf.Tensor, statistics: Sequence[tf.Tensor]
    ) -> keras.Model:
        """Returns a new clone that holds the given weights and statistics."""
        copy = clone(self.model)
        variables = copy.trainable_variables + copy.non_trainable_variables
        values = self.unflatten(weights) + list(statistics)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return copy

    def _by_batch(self, weights, x):
        values = list(self._others)
        # A moving average of 0 becomes (1 - momentum) times the batch's value.
        for i, _ in self._moving:
            values[i] = tf.zeros_like(values[i])
        self._calls.clear()
        outputs, values = self._normalizer.stateless_call(
            self.unflatten(weights), values, x, training=False
        )
        for name, calls in self._calls.items():
            if calls > 1:
                raise ValueError(
                    f"layer {name!r} of model {self.model.name!r} is called "
                    f"{calls} times, and each call has statistics of its own; "
                    "use one batch normalization layer for each"
                )
        values = list(values)
        for i, momentum in self._moving:
            values[i] /= 1 - momentum
        return tf.cast(outputs, self.dtype), values
