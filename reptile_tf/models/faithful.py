"""Whether clones of a model answer as it does."""

from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.models import keras_internals
from reptile_tf.models.functional import FunctionalModel
from reptile_tf.utils import random

# What these packages keep in their layers, clones are known to be given.
_KNOWN = ("keras.", "reptile_tf.")


def require_faithful(functional: FunctionalModel, x: Any) -> None:
    """Refuses a model that keeps what neither weights nor configuration hold.

    Keras would lose it when it saves the model, and clones lack it. Models
    made of Keras's own layers alone are not looked at.

    Args:
        functional: the model, as its clones compute it.
        x: inputs `[n, ...]`.

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
    mode = keras_internals.in_mode(model, training=False)
    parts, key = functional.cut(functional.phi()), random.fold_in(0, 0)
    statistics = functional.own_statistics

    def trained(whose):
        return functional.in_training(parts, x, key, whose)

    right = model(x, **mode), trained(model)
    again = model(x, **mode), trained(model)
    found = (
        functional.by_statistics(functional.phi(), statistics, x),
        trained(None),
    )
    if _alike(right, again) and not _alike(right, found):
        raise ValueError(
            f"a clone of model {model.name!r} answers otherwise than the model "
            "itself: one of the layers "
            f"{', '.join(map(repr, own))} keeps what is neither a weight nor "
            "in its get_config; make it one of them"
        )


def _alike(one: Any, other: Any) -> bool:
    """Returns whether outputs are equal, up to the rounding of 16 bits."""
    pairs = zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True)
    for a, b in pairs:
        half = a.dtype.size == 2
        a, b = (np.asarray(tf.cast(t, tf.float64)) for t in (a, b))
        scale = np.abs(a[np.isfinite(a)]).max(initial=0.0)
        atol = (1e-2 if half else 1e-5) * scale
        if not np.allclose(a, b, rtol=0, atol=atol, equal_nan=True):
            return False
    return True
