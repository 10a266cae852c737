"""What a model's outputs mean, told from the loss that it learns with."""

from typing import Any, NamedTuple

import keras


class Outputs(NamedTuple):
    """What outputs mean.

    Attributes:
        classifier: whether they are scores of classes, each example having one.
        logits: whether such scores are logits, and not probabilities.
    """

    classifier: bool
    logits: bool

    @classmethod
    def of(cls, loss: Any) -> "Outputs":
        """Returns what the outputs of a model with a loss mean.

        Args:
            loss: any Keras loss (name, function or object).
        """
        loss = keras.losses.get(loss)
        function = loss is keras.losses.sparse_categorical_crossentropy
        known = isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
        logits = getattr(loss, "from_logits", not function)
        return cls(function or known, logits)
