"""A learner that adapts inside TFLite, as one file with one signature.

`adapt_and_predict` takes and returns what the signature of that name of a
SavedModel does (`reptile_tf.serving.signatures`), but for `steps`: how many
there are is fixed in the file, and so is which examples each step takes. TFLite
has no operation that refuses a request: what is out of range is not noticed,
but for more support examples than the file was made for.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.algorithms.inner_loop import adapt, mini_batches
from reptile_tf.data.task import num_examples
from reptile_tf.models import tflite
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.models.tflite_layers import trainable_in_tflite
from reptile_tf.serving.learner_graph import ServedLearner
from reptile_tf.training.learner import MetaLearner
from reptile_tf.utils import random

SIGNATURE = "adapt_and_predict"


def as_tflite(learner: MetaLearner, steps: int, max_examples: int) -> bytes:
    """Returns the file of a learner that adapts.

    Args:
        learner: the learner to export.
        steps: inner steps, at least 1.
        max_examples: the most support examples that there may be.

    Raises:
        ValueError: TFLite cannot compute the learner; says why.
    """
    served = _TFLiteLearner(learner, steps, max_examples)
    inputs, outputs = served.model.inputs, served.model.outputs
    named = [(f"support_{x.name}", x.spec()) for x in inputs]
    named += [(f"support_{y.target}", y.spec()) for y in outputs]
    named += [(f"query_{x.name}", x.spec()) for x in inputs]
    targets = len(inputs) + len(outputs)

    def answer(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        return served.adapt_and_predict(
            served.model.pack_inputs(given[: len(inputs)]),
            served.model.pack_outputs(given[len(inputs) : targets]),
            served.model.pack_inputs(given[targets:]),
            tf.constant(steps),
        )

    function = tf.function(
        answer,
        input_signature=[
            tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in named
        ],
        autograph=False,
    ).get_concrete_function()
    what = f"the learner of model {learner.model.name!r}"
    return tflite.converted(function, SIGNATURE, what, served.kept)


class _TFLiteLearner(ServedLearner):
    """A learner as functions of what TFLite has.

    Args:
        learner: the learner to export.
        steps: inner steps.
        max_examples: the most support examples that there may be.
    """

    def __init__(self, learner: MetaLearner, steps: int, max_examples: int):
        super().__init__(learner)
        self._functional = FunctionalModel(
            trainable_in_tflite(learner.model), learner.algorithm.head_only
        ).now()
        self._loop = self._loop._replace(model=self._functional)
        self.kept["tables"] = self._functional.tables
        # TFLite has no random numbers, and the key is always the same.
        self._key = random.fold_in(0, 0)
        batch_size = learner.settings.eval_inner_batch_size
        draw = tf.function(
            lambda size: mini_batches(self._key, size, steps, batch_size),
            input_signature=[tf.TensorSpec([], tf.int32)],
            autograph=False,
        )
        # The rows of each step, for each number of support examples.
        self._batches = np.stack(
            [draw(tf.constant(size)) for size in range(1, max_examples + 1)]
        )

    def _adapted(self, x: Any, y: Any, steps: tf.Tensor) -> tf.Tensor:
        del steps
        batches = tf.gather(self._batches, num_examples(x) - 1)
        state = tf.nest.map_structure(tf.identity, self._state)
        phi = tf.identity(self._phi)
        return adapt(self._loop, phi, state, x, y, batches, self._key)[0]
