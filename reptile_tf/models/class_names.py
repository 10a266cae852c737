"""The names of an adapted model's classes, kept in the model itself."""

from collections.abc import Sequence
from typing import Any

import keras

from reptile_tf.models import keras_internals


@keras.saving.register_keras_serializable("reptile_tf")
class ClassNames(keras.layers.Layer):
    """Hands on what it is given, and knows which class each output is of.

    A file that Keras writes of a model holds the layer's names too.

    >>> import reptile_tf as rt
    >>> from reptile_tf.models.class_names import ClassNames
    >>> ClassNames(["cat", "dog"]).class_names
    ('cat', 'dog')

    Args:
        class_names: of the classes, in the order of the outputs.
    """

    def __init__(self, class_names: Sequence[str], **kwargs: Any):
        super().__init__(**kwargs)
        self.class_names = tuple(class_names)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Returns the inputs."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Returns what makes the layer again."""
        return super().get_config() | {"class_names": list(self.class_names)}


def with_class_names(
    model: keras.Model, class_names: Sequence[str]
) -> keras.Model:
    """Returns a model that knows the names of its classes.

    They are its attribute `class_names`, and in a last layer, so that they are
    saved along; a subclassed model has the attribute alone.

    Args:
        model: whose outputs are scores of classes.
        class_names: of the first outputs.
    """
    if getattr(model, "outputs", None):
        layer = ClassNames(class_names, name="class_names")
        inputs = keras_internals.inputs_of(model)
        model = keras.Model(inputs, layer(model.outputs[0]), name=model.name)
    model.class_names = tuple(class_names)
    return model
