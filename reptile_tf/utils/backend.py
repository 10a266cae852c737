"""What Keras and TensorFlow must be for this package to compute with them."""

import sys
from typing import Any

# Keras 2, as a package, and inside of TensorFlow.
_KERAS_2 = ("tf_keras", "tensorflow.python.keras")


def require_tensorflow() -> None:
    """Refuses another backend of Keras than TensorFlow, and graph mode.

    Raises:
        ValueError: says what would do.
    """
    try:
        import keras
    except ImportError as error:  # of a package that the backend needs
        config = sys.modules.get("keras.src.backend.config")
        if config is None or config.backend() == "tensorflow":
            raise
        raise ValueError(_other_backend(config.backend())) from error
    import tensorflow as tf

    backend = keras.config.backend()
    if backend != "tensorflow":
        raise ValueError(_other_backend(backend))
    if not tf.compat.v1.executing_eagerly_outside_functions():
        raise ValueError(
            "reptile_tf needs TensorFlow's eager mode, and this process is in "
            "graph mode; leave out tf.compat.v1.disable_eager_execution() and "
            "tf.compat.v1.disable_v2_behavior()"
        )


def _other_backend(name: str) -> str:
    return (
        "reptile_tf needs the TensorFlow backend of Keras, which is set to "
        f"{name}; set KERAS_BACKEND=tensorflow in the environment, or the "
        "backend in keras.json, before Keras is imported"
    )


def require_keras_3(**parts: Any) -> None:
    """Refuses objects of tf_keras, which is Keras 2.

    Args:
        **parts: by the names of the arguments, structures of any objects.

    Raises:
        ValueError: names the first such argument and what would do.
    """
    import tensorflow as tf

    for name, given in parts.items():
        for part in tf.nest.flatten(given):
            kind = part if hasattr(part, "__qualname__") else type(part)
            modules = {
                str(getattr(each, "__module__", ""))
                for each in getattr(kind, "__mro__", [kind])
            }
            if any(
                f"{m}.".startswith(f"{k}.") for m in modules for k in _KERAS_2
            ):
                raise ValueError(
                    f"{name} must be of Keras 3; {kind.__qualname__} is of "
                    "Keras 2 (tf_keras). Make it with `import keras`; where it "
                    "is made with tf.keras, unset TF_USE_LEGACY_KERAS"
                )
