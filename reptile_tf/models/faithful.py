"""Whether clones of a model answer as it does."""

from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.models import keras_internals
from reptile_tf.models.functional import FunctionalModel

# What these packages keep in their layers, clones are known to be given.
_KNOWN = ("keras.", "reptile_tf.")


def require_faithful(functional: FunctionalModel, x: Any) -> None:
    """Refuses a model that keeps what neither weights nor configuration hold.

    Keras would lose it when it saves the model, and clones lack it. Models
    made of Keras's own layers alone are not looked at.

    Args:
        functional: the model, as its clones compute it.
        x: inputs `[n, ...]`, of which two are looked at.

    Raises:
        ValueError: a clone answers otherwise than the model; names the layers
            that may be the cause.
    """
    model = functional.model
    own = [
        layer.name
        for layer in keras_internals.all_layers(model)
        if not type(layer).__module__.startswith(_KNOWN)
    ]
    if not own:
        return
    few = tf.nest.map_structure(lambda t: t[:2], x)
    mode = keras_internals.in_mode(model, training=False)
    right, again = model(few, **mode), model(few, **mode)
    found = functional.by_statistics(
        functional.phi(), functional.own_statistics, few
    )
    if _alike(right, again) and not _alike(right, found):
        raise ValueError(
            f"a clone of model {model.name!r} answers otherwise than the model "
            "itself: one of the layers "
            f"{', '.join(map(repr, own))} keeps what is neither a weight nor "
            "in its get_config; make it one of them"
        )


def _alike(one: Any, other: Any) -> bool:
    pairs = zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True)
    return all(
        np.allclose(
            tf.cast(a, tf.float64),
            tf.cast(b, tf.float64),
            rtol=1e-2,
            atol=1e-4,
            equal_nan=True,
        )
        for a, b in pairs
    )
