"""What a server computes: pure functions of a request.

No function writes a variable or keeps anything between calls, so a server may
run any number of them side by side. What a request may hold has been checked
before, by `reptile_tf.serving.graph_checks`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.serving.served_model import ServedModel
from reptile_tf.training.learner import MetaLearner
from reptile_tf.utils import random
from reptile_tf.utils.precision import wide


class ServedLearner:
    """A learner as functions that answer requests.

    An adapted learner travels as one vector: the trainable weights, then the
    moving statistics of batch normalization, then, for each output that scores
    classes, a 1 for each class that its support set had and a 0 for each other
    one.

    Args:
        learner: the learner to serve; later changes of it are not seen.

    Attributes:
        model: the inputs and outputs of its model, and their names.
        parts: (name, shape) of each part of a vector, in order.
        dtype: of a vector.
        kept: the variables and tables that an export has to keep, by name.

    Raises:
        ValueError: the model does not say what inputs it takes, or was
            changed.
    """

    def __init__(self, learner: MetaLearner):
        learner.functional.require_unchanged()
        model = learner.model
        self.model = ServedModel(learner)
        # With the frozen weights as they are now, as constants.
        functional = self._functional = learner.functional.now()
        self._loop = learner.evaluator.loop._replace(model=functional)
        self._evaluator = learner.evaluator
        # JSON and its clients know no floats of 16 bits.
        self.dtype = wide(functional.dtype)
        vectored = [
            *model.trainable_variables,
            *(model.non_trainable_variables[i] for i in functional.moving),
        ]
        self.parts = [(v.path, tuple(v.shape)) for v in vectored]
        for output in self.model.outputs:
            if output.classifier:
                name = f"present_classes{output.suffix}"
                self.parts.append((name, (output.size,)))
        self._phi = tf.Variable(functional.phi(), trainable=False)
        self._state = tf.nest.map_structure(
            lambda s: tf.Variable(s, trainable=False), learner.inner_state
        )
        # One compiled function, so that a model holds it once for all its
        # signatures.
        self._weights = tf.function(
            self._adapted,
            input_signature=[
                self.model.pack_inputs([x.spec() for x in self.model.inputs]),
                self.model.pack_outputs([y.spec() for y in self.model.outputs]),
                tf.TensorSpec([], tf.int32),
            ],
            autograph=False,
        )
        self.kept = {
            "phi": self._phi,
            "inner_state": tf.nest.flatten(self._state),
            "tables": functional.tables,
        }

    @property
    def size(self) -> int:
        """The length of a vector."""
        return sum(tf.TensorShape(s).num_elements() for _, s in self.parts)

    def initialization(self) -> tf.Tensor:
        """Returns phi as a vector, with the model's own statistics."""
        return self._pack(
            tf.identity(self._phi),
            self._functional.own_statistics,
            [tf.ones([o.size]) for o in self.model.outputs if o.classifier],
        )

    def adapt(self, x: Any, y: Any, steps: tf.Tensor) -> tf.Tensor:
        """Returns the vector of the learner adapted to a support set."""
        weights = self._weights(x, y, steps)
        statistics = self._functional.statistics(weights, x)
        return self._pack(weights, statistics, self._present(y))

    def predict(self, vector: tf.Tensor, x: Any) -> dict[str, tf.Tensor]:
        """Returns the answers of the learner that is in a vector."""
        weights, moving, present = self._unpack(vector)
        statistics = self._functional.own_statistics
        for i, values in zip(self._functional.moving, moving, strict=True):
            statistics[i] = values
        outputs = self._functional.by_statistics(weights, statistics, x)
        return self._answers(outputs, present)

    def adapt_and_predict(
        self, x: Any, y: Any, query_x: Any, steps: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Adapts and answers, with the statistics of the support set."""
        return self.predict(self.adapt(x, y, steps), query_x)

    def adapt_and_predict_transductive(
        self, x: Any, y: Any, query_x: Any, steps: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Adapts and answers, with the statistics of the query set."""
        weights = self._weights(x, y, steps)
        outputs = self._functional.by_batch(weights, query_x)
        return self._answers(outputs, self._present(y))

    def _adapted(self, x: Any, y: Any, steps: tf.Tensor) -> tf.Tensor:
        state = tf.nest.map_structure(tf.identity, self._state)
        key = random.fold_in(0, 0)  # the one of `MetaLearner.adapt`'s default
        return self._evaluator.adapted_weights(
            self._loop, tf.identity(self._phi), state, steps, x, y, key
        )

    def _present(self, y: Any) -> list[tf.Tensor]:
        """Returns which classes there are, for each output that has some."""
        pairs = zip(self.model.outputs, tf.nest.flatten(y), strict=True)
        return [
            tf.reduce_max(tf.one_hot(tf.reshape(labels, [-1]), output.size), 0)
            for output, labels in pairs
            if output.classifier
        ]

    def _pack(
        self,
        weights: tf.Tensor,
        statistics: Sequence[tf.Tensor],
        present: Sequence[tf.Tensor],
    ) -> tf.Tensor:
        moving = [statistics[i] for i in self._functional.moving]
        pieces = [
            tf.cast(tf.reshape(piece, [-1]), self.dtype)
            for piece in (weights, *moving, *present)
        ]
        return tf.concat(pieces, 0)

    def _unpack(
        self, vector: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        size, moving = self._functional.size, len(self._functional.moving)
        present = sum(o.classifier for o in self.model.outputs)
        values, start = [], size
        for _, shape in self.parts[len(self.parts) - moving - present :]:
            stop = start + tf.TensorShape(shape).num_elements()
            values.append(tf.reshape(vector[start:stop], shape))
            start = stop
        dtype = self._functional.dtype
        weights, *values = (tf.cast(v, dtype) for v in (vector[:size], *values))
        return weights, values[:moving], values[moving:]

    def _answers(
        self, outputs: Any, present: Sequence[tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        answers, left = {}, iter(present)
        for output, values in zip(
            self.model.outputs, tf.nest.flatten(outputs), strict=True
        ):
            values = tf.cast(values, self.dtype)
            if not output.classifier:
                answers[f"predictions{output.suffix}"] = values
                continue
            probabilities = _probabilities(values, next(left), output.logits)
            answers[f"probabilities{output.suffix}"] = probabilities
            answers[f"labels{output.suffix}"] = tf.argmax(
                probabilities, -1, tf.int32
            )
        return answers


def _probabilities(
    outputs: tf.Tensor, present: tf.Tensor, logits: bool
) -> tf.Tensor:
    if not logits:
        # A probability of 0 stays above that of a class that is absent.
        least = np.finfo(outputs.dtype.as_numpy_dtype).tiny
        outputs = tf.math.log(tf.maximum(outputs, least))
    # Classes that the support set did not have are out of the question.
    outputs = tf.where(present > 0, outputs, outputs.dtype.min)
    return tf.nn.softmax(outputs)
