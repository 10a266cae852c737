"""What a server computes: pure functions of a request.

No function writes a variable or keeps anything between calls, so a server may
run any number of them side by side. What a request may hold has been checked
before, by `reptile_tf.serving.graph_checks`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from reptile_tf.models.functional import output_shape
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.outputs import Outputs
from reptile_tf.utils import random


class ServedLearner:
    """A learner as functions that answer requests.

    An adapted learner travels as one vector: the trainable weights, then the
    moving statistics of batch normalization, then, for a classifier, a 1 for
    each class that its support set had and a 0 for each other one.

    Args:
        learner: the learner to serve; later changes of it are not seen.

    Attributes:
        input_shape: the shape of one example.
        classifier: whether the outputs are scores of classes.
        outputs: the number of outputs; of classes, for a classifier.
        parts: (name, shape) of each part of a vector, in order.
        variables: the variables that an export has to keep, by name.

    Raises:
        ValueError: the model does not say what inputs it takes.
    """

    def __init__(self, learner: MetaLearner):
        model, functional = learner.model, learner.functional
        if getattr(model, "input_shape", None) is None:
            raise ValueError(
                f"model {model.name!r} does not say what inputs it takes; "
                "only functional and sequential models can be exported"
            )
        self.input_shape = tuple(model.input_shape[1:])
        self.classifier, self._logits = Outputs.of(learner.loss)
        shape = output_shape(model, self.input_shape)
        self.outputs = shape[-1]
        statistics = model.non_trainable_variables
        vectored = [
            *model.trainable_variables,
            *(statistics[i] for i in functional.moving),
        ]
        self.parts = [(v.path, tuple(v.shape)) for v in vectored]
        if self.classifier:
            self.parts.append(("present_classes", (self.outputs,)))
        self._functional = functional
        self._evaluator = learner.evaluator
        self._phi = tf.Variable(functional.phi(), trainable=False)
        self._state = tf.nest.map_structure(
            lambda s: tf.Variable(s, trainable=False), learner.inner_state
        )
        # One compiled function, so that a model holds it once for all its
        # signatures.
        self._weights = tf.function(
            self._adapted,
            input_signature=[
                tf.TensorSpec([None, *self.input_shape]),
                tf.TensorSpec([None], tf.int32)
                if self.classifier
                else tf.TensorSpec([None, self.outputs]),
                tf.TensorSpec([], tf.int32),
            ],
            autograph=False,
        )
        self.variables = {
            "phi": self._phi,
            "inner_state": tf.nest.flatten(self._state),
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
            tf.ones([self.outputs]),
        )

    def adapt(self, x: tf.Tensor, y: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """Returns the vector of the learner adapted to a support set."""
        weights = self._weights(x, y, steps)
        statistics = self._functional.statistics(weights, x)
        return self._pack(weights, statistics, self._present(y))

    def predict(self, vector: tf.Tensor, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the answers of the learner that is in a vector."""
        weights, moving, present = self._unpack(vector)
        statistics = self._functional.own_statistics
        for i, values in zip(self._functional.moving, moving, strict=True):
            statistics[i] = values
        outputs = self._functional.by_statistics(weights, statistics, x)
        return self._answers(outputs, present)

    def adapt_and_predict(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        query_x: tf.Tensor,
        steps: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Adapts and answers, with the statistics of the support set."""
        return self.predict(self.adapt(x, y, steps), query_x)

    def adapt_and_predict_transductive(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        query_x: tf.Tensor,
        steps: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Adapts and answers, with the statistics of the query set."""
        weights = self._weights(x, y, steps)
        outputs = self._functional.by_batch(weights, query_x)
        return self._answers(outputs, self._present(y))

    def _adapted(
        self, x: tf.Tensor, y: tf.Tensor, steps: tf.Tensor
    ) -> tf.Tensor:
        state = tf.nest.map_structure(tf.identity, self._state)
        key = random.fold_in(0, 0)  # the one of `MetaLearner.adapt`'s default
        return self._evaluator.adapted_weights(
            tf.identity(self._phi), state, steps, x, y, key
        )

    def _present(self, y: tf.Tensor) -> tf.Tensor | None:
        if not self.classifier:
            return None
        return tf.reduce_max(tf.one_hot(y, self.outputs), 0)

    def _pack(
        self,
        weights: tf.Tensor,
        statistics: Sequence[tf.Tensor],
        present: tf.Tensor | None,
    ) -> tf.Tensor:
        pieces = [weights]
        for i in self._functional.moving:
            pieces.append(tf.reshape(statistics[i], [-1]))
        return tf.concat(pieces + ([present] if self.classifier else []), 0)

    def _unpack(
        self, vector: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor | None]:
        size = self._functional.size
        kinds = len(self._functional.moving) + self.classifier
        parts = self.parts[len(self.parts) - kinds :]
        values, start = [], size
        for _, shape in parts:
            stop = start + tf.TensorShape(shape).num_elements()
            values.append(tf.reshape(vector[start:stop], shape))
            start = stop
        present = values.pop() if self.classifier else None
        return vector[:size], values, present

    def _answers(
        self, outputs: tf.Tensor, present: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        if present is None:
            return {"predictions": outputs}
        if not self._logits:
            # A probability of 0 stays above that of a class that is absent.
            least = np.finfo(outputs.dtype.as_numpy_dtype).tiny
            outputs = tf.math.log(tf.maximum(outputs, least))
        # Classes that the support set did not have are out of the question.
        outputs = tf.where(present > 0, outputs, outputs.dtype.min)
        probabilities = tf.nn.softmax(outputs)
        return {
            "probabilities": probabilities,
            "labels": tf.argmax(probabilities, 1, tf.int32),
        }
