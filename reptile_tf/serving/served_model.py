"""The inputs and outputs of a served model, and what requests call them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from reptile_tf.models import keras_internals
from reptile_tf.models.shapes import output_shape
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.outputs import LABELS, Outputs, kind
from reptile_tf.utils.precision import wide

# Sizes that are tried where a model leaves a size open.
_SIZES = tuple(2**i for i in range(11))


class Input(NamedTuple):
    """One of a model's inputs.

    Attributes:
        name: what requests call it, after "support_" and "query_".
        dtype: of its values.
        shape: of one example; None where a size is left open.
    """

    name: str
    dtype: tf.DType
    shape: tuple[int | None, ...]

    def spec(self) -> tf.TensorSpec:
        """Returns what any number of examples are."""
        return tf.TensorSpec([None, *self.shape], self.dtype)


class Output(NamedTuple):
    """One of a model's outputs.

    Attributes:
        suffix: what requests add to the names of its targets and answers; ""
            if it is the only output.
        classifier: whether it scores classes, each example having one.
        logits: whether the scores are logits, and not probabilities.
        dtype: of the targets.
        shape: of one example; None where a size is left open.
        ignored: a label that the loss does not count, if there is one.
    """

    suffix: str
    classifier: bool
    logits: bool
    dtype: tf.DType
    shape: tuple[int | None, ...]
    ignored: int | None = None

    @property
    def size(self) -> int:
        """The number of scores, or the last size of the output."""
        last = self.shape[-1] if self.shape else 1
        return 1 if last is None else last

    @property
    def target_shape(self) -> tuple[int | None, ...]:
        """The shape of one example's target."""
        return self.shape[:-1] if self.classifier else self.shape

    @property
    def target(self) -> str:
        """What requests call the targets, after "support_"."""
        return f"{'labels' if self.classifier else 'targets'}{self.suffix}"

    def spec(self) -> tf.TensorSpec:
        """Returns what the targets of any number of examples are."""
        return tf.TensorSpec([None, *self.target_shape], self.dtype)


class ServedModel:
    """What a learner's model takes and returns.

    Args:
        learner: whose model is served.

    Attributes:
        inputs: in Keras's order.
        outputs: in Keras's order.

    Raises:
        ValueError: the model does not say what inputs it takes.
    """

    def __init__(self, learner: MetaLearner):
        model = learner.model
        self._model = model
        self._x = keras_internals.inputs_of(model)
        self._y = keras_internals.outputs_of(model)
        if self._x is None:
            raise ValueError(
                f"model {model.name!r} does not say what inputs it takes; "
                "only functional and sequential models can be exported"
            )
        self.outputs = self._outputs(learner)
        leaves = tf.nest.flatten(self._x)
        floats = tf.as_dtype(leaves[0].dtype).is_floating
        pictured = self.outputs[0].classifier and floats
        only = "images" if pictured else "inputs"
        self.inputs = [
            Input(name, wide(tf.as_dtype(leaf.dtype)), tuple(leaf.shape[1:]))
            for name, leaf in zip(
                keras_internals.input_names(model, only), leaves, strict=True
            )
        ]

    def _outputs(self, learner: MetaLearner) -> list[Output]:
        leaves = tf.nest.flatten(self._y)
        losses = tf.nest.flatten(learner.loss)
        if not tf.nest.is_nested(learner.loss):
            losses = losses * len(leaves)
        made = []
        names = keras_internals.output_names(learner.model, "")
        for name, leaf, loss in zip(names, leaves, losses, strict=True):
            classifier = loss is not None and kind(loss) == LABELS
            made.append(
                Output(
                    suffix=f"_{name}" if name else "",
                    classifier=classifier,
                    logits=classifier and Outputs.of(loss).logits,
                    dtype=tf.int32
                    if classifier
                    else wide(learner.functional.dtype),
                    shape=tuple(leaf.shape[1:]),
                    ignored=getattr(loss, "ignore_class", None),
                )
            )
        return made

    @property
    def takes_pictures(self) -> bool:
        """Whether there is one input, which pictures may be."""
        first = self.inputs[0]
        alone = len(self.inputs) == 1 and len(first.shape) >= 2
        return alone and first.dtype.is_floating

    def pack_inputs(self, values: Sequence[Any]) -> Any:
        """Returns values, one for each input, structured as the model's."""
        return tf.nest.pack_sequence_as(self._x, list(values))

    def pack_outputs(self, values: Sequence[Any]) -> Any:
        """Returns values, one for each output, structured as the model's."""
        return tf.nest.pack_sequence_as(self._y, list(values))

    def _smallest(self) -> tuple[list[list[int]], list[tf.TensorShape]]:
        """Returns the shapes of inputs and outputs at the least sizes."""
        for size in _SIZES:
            shapes = [
                [size if s is None else s for s in x.shape] for x in self.inputs
            ]
            specs = [
                keras.KerasTensor((1, *shape), x.dtype.name)
                for x, shape in zip(self.inputs, shapes, strict=True)
            ]
            try:
                found = output_shape(self._model, self.pack_inputs(specs))
            except ValueError:  # too small for a convolution, say
                continue
            outputs = tf.nest.flatten(found)
            if all(min([1, *o.as_list()]) >= 1 for o in outputs):
                return shapes, outputs
        raise ValueError(
            f"model {self._model.name!r} cannot be computed with inputs of "
            f"any size from 1 to {_SIZES[-1]} where its inputs leave sizes open"
        )

    def closed_shapes(self) -> dict[str, list[int]]:
        """Returns name -> shape of a smallest example of inputs and targets.

        Where the model leaves sizes open, they are the least powers of 2 with
        which it can be computed.
        """
        shapes, outputs = self._smallest()
        closed = dict(zip((x.name for x in self.inputs), shapes, strict=True))
        for output, shape in zip(self.outputs, outputs, strict=True):
            sizes = shape.as_list()
            closed[output.target] = sizes[:-1] if output.classifier else sizes
        return closed
