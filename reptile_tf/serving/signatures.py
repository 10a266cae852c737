"""What a served learner can be asked: the signatures of its SavedModel.

For a classifier they are:

| Signature | Inputs | Outputs |
|---|---|---|
| `adapt_and_predict` (the default) | `support_images`, `support_labels`, \
`query_images`, `steps` | `probabilities`, `labels` |
| `adapt_and_predict_transductive` | the same | the same |
| `adapt` | `support_images`, `support_labels`, `steps` | `weights` |
| `predict` | `weights`, `query_images` | `probabilities`, `labels` |
| `initialization` | none | `weights` |
| `limits` | none | `max_steps`, `max_examples`, `ways` |

TF Serving answers the two without inputs over gRPC, not over REST; what they
say is in `assets.extra/learner.json` too. The limits are also the `defaults` of
their signature, which the metadata over REST show.

    support_images  float32 [S, ...] in the range that the model learned with
    support_labels  int32 [S], 0..N-1; classes that are absent get probability 0
    query_images    float32 [Q, ...]
    steps           int32 scalar, inner steps
    probabilities   float32 [Q, N]
    labels          int32 [Q], the most probable class
    weights         float32 [P], an adapted learner, for `predict`

`adapt_and_predict` and `predict` use the statistics of the support set, so that
queries do not influence one another; the transductive signature uses those of
the query set, the paper's "Reptile + Transduction". Signatures whose names end
in `_uint8` take raw uint8 images instead.

A regression model has `support_inputs`, `support_targets`, `query_inputs` and
`predictions` [Q, outputs] in their places. Inputs have the dtype and the shape
of the model's: token ids are integers, and sizes that the model leaves open may
be any.

A model with several inputs has `support_NAME` and `query_NAME` for each, by the
keys of its dict, or the names of its `keras.Input`s, or their numbers. One with
several outputs has `support_targets_NAME` and `predictions_NAME` for each; or
`support_labels_NAME`, `probabilities_NAME` and `labels_NAME` for one that
scores classes.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from reptile_tf.data.images import to_inputs
from reptile_tf.serving import graph_checks
from reptile_tf.serving.learner_graph import ServedLearner
from reptile_tf.serving.served_model import Output

# The inputs, or the outputs, of a request by name.
_Tensors: TypeAlias = dict[str, tf.Tensor]

# Without an apostrophe, which TensorFlow would escape in its errors.
_DIVERGED = (
    "adapting to this support set diverges; are its values in the range that "
    "the model learned with?"
)
_OUT_OF_RANGE = (
    "are the queries in the range that the model learned with, and the "
    "weights those of this model?"
)


class Limits(NamedTuple):
    """What requests are bounded by; clients are told.

    Attributes:
        max_steps: the most inner steps that a request may ask for.
        max_examples: the most support examples, and the most query examples,
            that a request may hold.
        ways: the number of classes, or of outputs if they are no classes.
    """

    max_steps: int
    max_examples: int
    ways: int


class Signature(NamedTuple):
    """One thing that can be asked of a server.

    Attributes:
        function: what answers; it takes inputs of any shape.
        inputs: the dtypes and shapes of the inputs, as clients are told.
    """

    function: tf.types.experimental.PolymorphicFunction
    inputs: list[tf.TensorSpec]


def make_signatures(
    served: ServedLearner, limits: Limits, uint8_images: bool, pictures: bool
) -> dict[str, Signature]:
    """Returns name -> signature of all that can be asked of a learner.

    Args:
        served: the learner.
        limits: what requests are bounded by.
        uint8_images: whether to add signatures that take raw uint8 images.
        pictures: whether the model learned with pictures in [0, 1].

    Raises:
        ValueError: `uint8_images` is for a model that takes no images.
    """
    if uint8_images and not served.model.takes_pictures:
        raise ValueError(
            "uint8_images=True is for a model with one input, of floats and of "
            "two or more dimensions; this one takes "
            f"{[x.spec() for x in served.model.inputs]}"
        )
    unit_range = (pictures or uint8_images) and served.model.takes_pictures
    signatures = _ExampleSignatures(served, limits, False, unit_range).make()
    if uint8_images:
        raw = _ExampleSignatures(served, limits, True, False).make()
        signatures |= {f"{name}_uint8": value for name, value in raw.items()}
    signatures["initialization"] = _signature(
        lambda: {"weights": served.initialization()}
    )
    signatures["limits"] = _signature(
        lambda: tf.nest.map_structure(tf.constant, limits._asdict())
    )
    signatures["serving_default"] = signatures["adapt_and_predict"]
    return signatures


class _ExampleSignatures:
    """The signatures that take examples.

    Args:
        served: the learner that answers.
        limits: what requests are bounded by.
        raw: whether they take images of bytes, and divide them by 255.
        unit_range: whether inputs must be pictures in [0, 1].
    """

    def __init__(
        self,
        served: ServedLearner,
        limits: Limits,
        raw: bool,
        unit_range: bool,
    ):
        self._served, self._limits = served, limits
        self._raw, self._unit_range = raw, unit_range
        model = served.model
        self._support = [f"support_{x.name}" for x in model.inputs]
        self._query = [f"query_{x.name}" for x in model.inputs]
        self._targets = [f"support_{y.target}" for y in model.outputs]

    def make(self) -> dict[str, Signature]:
        """Returns name -> signature."""
        support_set = *self._support, *self._targets, "steps"
        everything = *self._support, *self._targets, *self._query, "steps"
        return {
            "adapt_and_predict": self._signature(
                lambda given: self._adapt_and_predict(
                    given, self._served.adapt_and_predict
                ),
                everything,
            ),
            "adapt_and_predict_transductive": self._signature(
                lambda given: self._adapt_and_predict(
                    given, self._served.adapt_and_predict_transductive
                ),
                everything,
            ),
            "adapt": self._signature(self._adapt, support_set),
            "predict": self._signature(
                self._predict, ("weights", *self._query)
            ),
        }

    def _signature(
        self, answer: Callable[[_Tensors], _Tensors], names: Sequence[str]
    ) -> Signature:
        """Returns the signature with the inputs `names`, in their order."""
        specs = self._specs()
        return _signature(
            lambda *given: answer(dict(zip(names, given, strict=True))),
            [specs[name] for name in names],
        )

    def _specs(self) -> dict[str, tf.TensorSpec]:
        """Returns name -> what an input is, of all inputs that there are."""
        served = self._served
        specs = {
            "steps": tf.TensorSpec([], tf.int32),
            "weights": tf.TensorSpec([served.size], served.dtype),
        }
        for names in (self._support, self._query):
            for name, x in zip(names, served.model.inputs, strict=True):
                dtype = tf.uint8 if self._raw else x.dtype
                specs[name] = tf.TensorSpec([None, *x.shape], dtype)
        for name, y in zip(self._targets, served.model.outputs, strict=True):
            specs[name] = y.spec()
        return {
            name: tf.TensorSpec(spec.shape, spec.dtype, name)
            for name, spec in specs.items()
        }

    def _adapt_and_predict(
        self, given: _Tensors, answer: Callable[..., _Tensors]
    ) -> _Tensors:
        x, y, steps = self._support_set(given)
        query_x = self._examples(given, self._query)
        return graph_checks.finite_answers(
            answer(x, y, query_x, steps), _DIVERGED
        )

    def _adapt(self, given: _Tensors) -> _Tensors:
        weights = self._served.adapt(*self._support_set(given))
        return graph_checks.finite_answers({"weights": weights}, _DIVERGED)

    def _predict(self, given: _Tensors) -> _Tensors:
        weights = graph_checks.weights(given["weights"], self._served.size)
        query_x = self._examples(given, self._query)
        return graph_checks.finite_answers(
            self._served.predict(weights, query_x), _OUT_OF_RANGE
        )

    def _support_set(self, given: _Tensors) -> tuple[Any, Any, tf.Tensor]:
        """Returns the inputs, the targets and the number of steps, checked."""
        x = self._examples(given, self._support)
        y = self._served.model.pack_outputs(
            [
                self._target(given, name, output, tf.nest.flatten(x)[0])
                for name, output in zip(
                    self._targets, self._served.model.outputs, strict=True
                )
            ]
        )
        return x, y, graph_checks.steps(given["steps"], self._limits.max_steps)

    def _examples(self, given: _Tensors, names: Sequence[str]) -> Any:
        most = self._limits.max_examples
        checked: list[tf.Tensor] = []
        for name, each in zip(names, self._served.model.inputs, strict=True):
            x = graph_checks.examples(given[name], each.shape, name, most)
            if checked:
                x = graph_checks.same_number(x, checked[0], (name, names[0]))
            if self._unit_range:
                x = graph_checks.in_unit_range(x, name)
            if self._raw:
                x = tf.cast(to_inputs(x, pictures=True), each.dtype)
            checked.append(x)
        return self._served.model.pack_inputs(checked)

    def _target(
        self, given: _Tensors, name: str, output: Output, x: tf.Tensor
    ) -> tf.Tensor:
        y, most = given[name], self._limits.max_examples
        names, shape = (name, self._support[0]), output.target_shape
        if output.classifier:
            return graph_checks.labels(
                y, x, output.size, names, most, shape, output.ignored
            )
        y = graph_checks.examples(y, shape, name, most)
        return graph_checks.same_number(y, x, names)


def _signature(
    answer: Callable[..., _Tensors], inputs: Sequence[tf.TensorSpec] = ()
) -> Signature:
    # Of any shape: TensorFlow would take a declared shape for granted, and
    # optimize the checks of what really comes away.
    taken = [tf.TensorSpec(None, spec.dtype, spec.name) for spec in inputs]
    function = tf.function(answer, input_signature=taken, autograph=False)
    return Signature(function, list(inputs))
