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
`predictions` [Q, outputs] in their places.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from reptile_tf.data.images import to_inputs
from reptile_tf.serving import graph_checks
from reptile_tf.serving.learner_graph import ServedLearner

# The inputs, or the outputs, of a request by name.
_Tensors: TypeAlias = dict[str, tf.Tensor]


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
    served: ServedLearner, limits: Limits, uint8_images: bool
) -> dict[str, Signature]:
    """Returns name -> signature of all that can be asked of a learner.

    Args:
        served: the learner.
        limits: what requests are bounded by.
        uint8_images: whether to add signatures that take raw uint8 images.
    """
    signatures = _ExampleSignatures(served, limits).make()
    if uint8_images:
        raw = _ExampleSignatures(served, limits, tf.uint8).make()
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
        dtype: of the examples' inputs.
    """

    def __init__(
        self,
        served: ServedLearner,
        limits: Limits,
        dtype: tf.DType = tf.float32,
    ):
        self._served, self._limits, self._dtype = served, limits, dtype
        what, answer = (
            ("images", "labels") if served.classifier else ("inputs", "targets")
        )
        self._support = f"support_{what}"
        self._target = f"support_{answer}"
        self._query = f"query_{what}"

    def make(self) -> dict[str, Signature]:
        """Returns name -> signature."""
        support_set = self._support, self._target, "steps"
        everything = self._support, self._target, self._query, "steps"
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
            "predict": self._signature(self._predict, ("weights", self._query)),
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
        examples = [None, *served.input_shape]
        if served.classifier:
            target = tf.TensorSpec([None], tf.int32, self._target)
        else:
            shape = [None, served.outputs]
            target = tf.TensorSpec(shape, tf.float32, self._target)
        return {
            self._support: tf.TensorSpec(examples, self._dtype, self._support),
            self._target: target,
            self._query: tf.TensorSpec(examples, self._dtype, self._query),
            "steps": tf.TensorSpec([], tf.int32, "steps"),
            "weights": tf.TensorSpec([served.size], tf.float32, "weights"),
        }

    def _adapt_and_predict(
        self, given: _Tensors, answer: Callable[..., _Tensors]
    ) -> _Tensors:
        x, y, steps = self._support_set(given)
        query_x = self._examples(given, self._query)
        return graph_checks.finite_answers(answer(x, y, query_x, steps))

    def _adapt(self, given: _Tensors) -> _Tensors:
        weights = self._served.adapt(*self._support_set(given))
        return graph_checks.finite_answers({"weights": weights})

    def _predict(self, given: _Tensors) -> _Tensors:
        weights = graph_checks.weights(given["weights"], self._served.size)
        query_x = self._examples(given, self._query)
        return graph_checks.finite_answers(
            self._served.predict(weights, query_x)
        )

    def _support_set(
        self, given: _Tensors
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the inputs, the targets and the number of steps, checked."""
        x = self._examples(given, self._support)
        y = self._targets(given, x)
        return x, y, graph_checks.steps(given["steps"], self._limits.max_steps)

    def _examples(self, given: _Tensors, name: str) -> tf.Tensor:
        shape, most = self._served.input_shape, self._limits.max_examples
        return to_inputs(graph_checks.examples(given[name], shape, name, most))

    def _targets(self, given: _Tensors, x: tf.Tensor) -> tf.Tensor:
        y, outputs = given[self._target], self._served.outputs
        names, most = (self._target, self._support), self._limits.max_examples
        if self._served.classifier:
            return graph_checks.labels(y, x, outputs, names, most)
        y = graph_checks.examples(y, [outputs], self._target, most)
        return graph_checks.same_number(y, x, names)


def _signature(
    answer: Callable[..., _Tensors], inputs: Sequence[tf.TensorSpec] = ()
) -> Signature:
    # Of any shape: TensorFlow would take a declared shape for granted, and
    # optimize the checks of what really comes away.
    taken = [tf.TensorSpec(None, spec.dtype, spec.name) for spec in inputs]
    function = tf.function(answer, input_signature=taken, autograph=False)
    return Signature(function, list(inputs))
