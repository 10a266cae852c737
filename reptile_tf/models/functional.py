"""A Keras model as a pure function of one weight vector."""

import collections
import copy
from collections.abc import Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from reptile_tf.models import faster_layers, keras_internals
from reptile_tf.models.batch_normalization import with_ours, without_ours
from reptile_tf.models.cloning import clone, require_built, require_clonable
from reptile_tf.models.weight_vector import WeightVector
from reptile_tf.utils import random
from reptile_tf.utils.frozen import Frozen


class FunctionalModel(WeightVector, Frozen):
    """Outputs of a Keras model for weights that are tensors, not variables.

    The paper's phi and W~ are vectors; so they are here: the trainable weights,
    flattened and joined in Keras's order. Clones of the model supply the
    forward pass (`stateless_call`), so the model itself is only ever read.

    Inputs and outputs are tensors, or whatever structure of tensors the model
    takes and returns.

    Args:
        model: any built Keras model whose trainable weights share one dtype.
        head_only: whether inner steps move the head alone, which is the last
            layer with trainable weights on the way to the output.
        second_order: whether inner steps are differentiated through; the
            faster gradients of convolutions would be slower then.

    Raises:
        ValueError: the model is not built or cannot be cloned, its trainable
            weights are none or of several dtypes, or its layers change others;
            or it has no head, being subclassed, or several.
    """

    def __init__(
        self,
        model: keras.Model,
        head_only: bool = False,
        second_order: bool = False,
    ):
        require_built(model)
        dtypes = {str(v.dtype) for v in model.trainable_variables}
        if len(dtypes) != 1:
            raise ValueError(
                f"model {model.name!r} must have trainable weights, all of one "
                f"dtype; received {sorted(dtypes) or 'none'}"
            )
        super().__init__(
            [tuple(v.shape) for v in model.trainable_variables],
            _beside_head(model) if head_only else None,
        )
        self.model = model
        self.dtype = tf.as_dtype(dtypes.pop())
        require_clonable(model)
        self._learner = clone(model, with_ours)
        faster_layers.speed_up(self._learner, second_order)
        self._normalizer = clone(model)
        self._constraints = [v.constraint for v in model.trainable_variables]
        self._made = keras_internals.description(model)
        self._read: list[tf.Tensor] | None = None
        self._calls: collections.Counter[str] = collections.Counter()
        batch_norms = keras_internals.normalize_by_batch(
            self._normalizer, self._calls
        )
        variables = self._normalizer.non_trainable_variables
        place = {id(v): i for i, v in enumerate(variables)}
        # Place among the non-trainable weights, and momentum.
        self._moving = [
            (place[id(v)], layer.momentum)
            for layer in batch_norms
            for v in (layer.moving_mean, layer.moving_variance)
        ]
        seeds = keras_internals.seeds(self._learner)
        self._seeds = [
            i
            for i, v in enumerate(self._learner.non_trainable_variables)
            if id(v) in seeds
        ]
        self._freeze()
        self._require_no_other_state()

    def _require_no_other_state(self) -> None:
        """Refuses state of its own kind, where the model says its inputs."""
        known = {*self.moving, *self._seeds}
        inputs = keras_internals.inputs_of(self.model)
        if inputs is None or known.issuperset(range(len(self.own_statistics))):
            return
        structure = tf.nest.map_structure(
            lambda x: tf.TensorSpec([1, *x.shape[1:]], x.dtype), inputs
        )
        # Traced alone; `in_training` refuses what the model then assigns.
        tf.function(
            lambda x: self.in_training(
                self.cut(self.phi()), x, random.fold_in(0, 0)
            ),
            autograph=False,
        ).get_concrete_function(structure)

    def require_unchanged(self) -> None:
        """Refuses a model whose layers were changed since it was taken.

        Raises:
            ValueError: names the layer.
        """
        now = keras_internals.description(self.model)
        if now != self._made:
            # Layers come after the models that they are in.
            pairs = zip(now, self._made, strict=False)
            changed = [a[0] for a, b in pairs if a != b] or [self.model.name]
            raise ValueError(
                f"layer {changed[-1]!r} of model {self.model.name!r} was "
                "changed, adapted or frozen after its MetaLearner was made, "
                "which still learns with what it was before; make another "
                "MetaLearner of the model"
            )

    def now(self) -> Self:
        """Returns it with the non-trainable weights as they are now.

        They are read once: iterations of a loop that reads variables run one
        after another, and tasks are to run side by side.
        """
        other = copy.copy(self)
        other.__dict__["_read"] = self.own_statistics
        return other

    def phi(self) -> tf.Tensor:
        """Returns the model's trainable weights as a vector."""
        return self.flatten([v.value for v in self.model.trainable_variables])

    def constrained(self, parts: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns weights, as the constraints of their layers leave them.

        Args:
            parts: the weight vector, `cut`.
        """
        if not any(self._constraints):
            return parts
        tensors = [
            constraint(t) if constraint else t
            for t, constraint in zip(
                self._tensors(parts), self._constraints, strict=True
            )
        ]
        return self._parts(tensors)

    def in_training(
        self,
        parts: list[tf.Tensor],
        x: Any,
        key: tf.Tensor,
        model: keras.Model | None = None,
    ) -> tuple[Any, tf.Tensor]:
        """Returns (outputs in training mode, sum of what layers add as losses).

        Args:
            parts: the weight vector, `cut`.
            x: inputs `[batch, ...]`.
            key: int32 `[2]`, from which dropout and other noise follow.
            model: computed in place of its clone, to be compared.

        Raises:
            ValueError: a layer changes a weight by itself.
        """
        others = self.own_statistics
        for i in self._seeds:
            # A variable would give every step the same dropout.
            seed = random.fold_in(key, i)
            others[i] = tf.cast(seed & 0x7FFFFFFF, others[i].dtype)
        model = model or self._learner
        outputs, after, losses = model.stateless_call(
            self._tensors(parts),
            others,
            x,
            return_losses=True,
            **keras_internals.in_mode(model, training=True),
        )
        known = {*self.moving, *self._seeds}
        for i, (old, new) in enumerate(zip(others, after, strict=True)):
            if new is not old and i not in known:
                path = self._learner.non_trainable_variables[i].path
                raise ValueError(
                    f"weight {path!r} of model {self.model.name!r} is changed "
                    "by its layer in training, and not by gradients; inner "
                    "steps cannot hand such state on. Freeze the layer "
                    "(trainable=False), or use another one"
                )
        # With mixed precision, outputs may be of less than the weights'.
        penalty = tf.cast(sum(losses), self.dtype)
        return self._cast(outputs), penalty

    def _cast(self, outputs: Any) -> Any:
        """Returns outputs in the weights' dtype, with their masks."""

        def cast(output):
            mask = keras_internals.mask_of(output)
            return keras_internals.with_mask(tf.cast(output, self.dtype), mask)

        return tf.nest.map_structure(cast, outputs)

    @property
    def tables(self) -> list:
        """The vocabularies that its outputs are looked up in."""
        return [
            table
            for model in (self._learner, self._normalizer)
            for table in keras_internals.tables(model)
        ]

    @property
    def has_batch_norm(self) -> bool:
        """Whether outputs depend on which statistics are used."""
        return bool(self._moving)

    def by_batch(self, weights: tf.Tensor, x: Any) -> Any:
        """Returns the outputs, normalized by the statistics of the batch `x`.

        Everything but batch normalization is in inference mode.
        """
        return self._by_batch(weights, x)[0]

    def statistics(self, weights: tf.Tensor, x: Any) -> list[tf.Tensor]:
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
        """The model's non-trainable weights, as they are."""
        if self._read is not None:
            return list(self._read)
        return [
            tf.convert_to_tensor(v.value)
            for v in self.model.non_trainable_variables
        ]

    def by_statistics(
        self, weights: tf.Tensor, statistics: Sequence[tf.Tensor], x: Any
    ) -> Any:
        """Returns the outputs in inference mode for the given statistics."""
        outputs, _ = self._learner.stateless_call(
            self.unflatten(weights),
            statistics,
            x,
            **keras_internals.in_mode(self._learner, training=False),
        )
        return self._cast(outputs)

    def with_weights(
        self, weights: tf.Tensor, statistics: Sequence[tf.Tensor]
    ) -> keras.Model:
        """Returns a new clone that holds the given weights and statistics."""
        # Keras's layers in place of ours: others can open what it is saved to.
        other = clone(self.model, without_ours)
        variables = other.trainable_variables + other.non_trainable_variables
        values = self.unflatten(weights) + list(statistics)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return keras_internals.exportable(other)

    def _by_batch(self, weights, x):
        values = self.own_statistics
        # A moving average of 0 becomes (1 - momentum) times the batch's value.
        for i, _ in self._moving:
            values[i] = tf.zeros_like(values[i])
        self._calls.clear()
        outputs, values = self._normalizer.stateless_call(
            self.unflatten(weights),
            values,
            x,
            **keras_internals.in_mode(self._normalizer, training=False),
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
        return self._cast(outputs), values


def _beside_head(model: keras.Model) -> list[bool]:
    """Returns for each trainable weight whether it is none of the head's."""
    heads = keras_internals.last_layers(model)
    if len(heads) != 1:
        raise ValueError(
            f"the head of model {model.name!r} must be one layer, the last one "
            "of a functional or sequential model; found "
            f"{sorted(h.name for h in heads) or 'no such model'}"
        )
    own = {id(v) for head in heads for v in head.trainable_variables}
    return [id(v) not in own for v in model.trainable_variables]
