"""The names of an adapted model's classes, kept in the model itself.

They are in the name of the model's last layer, which is Keras's `Identity`, so
that a file that Keras writes of the model holds them and opens anywhere.
"""

import re
from collections.abc import Sequence
from typing import Any

import keras

from reptile_tf.models import keras_internals

_FIRST = "class_names"


@keras.saving.register_keras_serializable("reptile_tf")
class ClassNames(keras.layers.Layer):
    """What models that older versions saved have as their last layer.

    It hands on what it is given.

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
        output = model.outputs[0]
        # A global dtype policy is no reason to cast the answers.
        layer = keras.layers.Identity(
            name="-".join([_FIRST, *map(_written, class_names)]),
            dtype=output.dtype,
        )
        inputs = keras_internals.inputs_of(model)
        model = keras_internals.exportable(
            keras.Model(inputs, layer(output), name=model.name)
        )
    model.class_names = tuple(class_names)
    return model


def class_names_of(model: keras.Model) -> tuple[str, ...]:
    """Returns the names of a model's classes; none if it does not know them.

    >>> import numpy as np
    >>> import reptile_tf as rt
    >>> from reptile_tf.models.class_names import class_names_of
    >>> learner = rt.MetaLearner(rt.models.sine_mlp(outputs=2))
    >>> model = learner.adapt(np.ones([2, 1]), ["a dog", "cat"], steps=0)
    >>> model.layers[-1].name, class_names_of(model)
    ('class_names-a_20_dog-cat', ('a dog', 'cat'))

    Args:
        model: that `MetaLearner.adapt` returned, or that was loaded from a file
            of such a model.
    """
    last = (getattr(model, "layers", None) or [None])[-1]
    if isinstance(last, ClassNames):
        return last.class_names
    first, *names = getattr(last, "name", "").split("-")
    if first == _FIRST and isinstance(last, keras.layers.Identity):
        return tuple(map(_read, names))
    return tuple(getattr(model, "class_names", ()))


# TensorFlow takes these characters alone in the name of a layer.
def _written(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]", lambda m: f"_{ord(m[0]):x}_", name)


def _read(name: str) -> str:
    return re.sub(r"_([0-9a-f]+)_", lambda m: chr(int(m[1], 16)), name)
