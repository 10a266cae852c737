"""Reptile meta-learning for TensorFlow and Keras.

The public names are listed in `__init__.pyi`, which type checkers read too.
Each is loaded when it is first used, so that a command's --help need not wait
for TensorFlow.

Reference: Nichol, Achiam, Schulman, On First-Order Meta-Learning Algorithms
(2018).
"""

import contextlib
from typing import Any

import lazy_loader
import wrapt

from reptile_tf.utils import backend

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Returns a public name, loaded now."""
    if name == "configure_tensorflow":  # which is to come before TensorFlow
        from reptile_tf.utils import machine

        return machine.configure_tensorflow
    if name in __all__:
        backend.require_tensorflow()
    return _load(name)


@wrapt.when_imported("keras")
def _register(keras: object) -> None:
    """Makes our layer known to Keras, which loads saved models with it."""
    del keras
    with contextlib.suppress(ValueError):  # which is raised at the first use
        from reptile_tf.models import batch_normalization  # noqa: F401
