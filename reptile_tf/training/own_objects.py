"""The classes and functions of users' own that a learner is made of."""

import inspect
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.models import keras_internals

_KNOWN = ("builtins", "keras", "reptile_tf", "tensorflow")


def own_objects(learner: Any) -> dict[str, Any]:
    """Returns them by the names under which Keras looks for them.

    Args:
        learner: the `MetaLearner`.

    Returns:
        What `MetaLearner.load` takes as custom_objects. Those that were made
        inside of a function are left out, as no other process finds them.
    """
    parts = [
        *keras_internals.all_layers(learner.model),
        learner.model,
        learner.algorithm,
        learner.inner_optimizer,
        learner.meta_optimizer,
        *tf.nest.flatten([learner.loss, learner.metric]),
    ]
    found = {}
    for part in parts:
        for each in (part, type(part), *getattr(part, "__dict__", {}).values()):
            if not inspect.isfunction(each) and not inspect.isclass(each):
                continue
            if each.__module__.partition(".")[0] not in _KNOWN:
                found[each.__name__] = each
                found[keras.saving.get_registered_name(each)] = each
    return {k: v for k, v in found.items() if "<" not in v.__qualname__}
