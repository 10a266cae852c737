"""Functions that TensorFlow compiles."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class Compiled:
    """A function that TensorFlow runs as a graph, traced when it is needed.

    A `tf.function` looks its traces up in a table which an interrupt may
    leave broken for ever. Here they are looked up in a dictionary, whose
    entries are written whole or not at all; where one is missing, TensorFlow
    is asked.

    Args:
        function: of tensors, in structures that are the same for each call.
    """

    def __init__(self, function: Callable[..., Any]):
        self._function = tf.function(
            function, autograph=False, reduce_retracing=True
        )
        self._traces: dict[tuple, Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Returns what the function does."""
        return self.traced(*arguments)(*arguments)

    def traced(self, *arguments: Any) -> Any:
        """Returns the function as it is traced for arguments like these."""
        if tf.config.functions_run_eagerly():
            return self._function
        likes = tuple(
            (tuple(t.shape), t.dtype) for t in tf.nest.flatten(arguments)
        )
        if likes not in self._traces:
            self._traces[likes] = self._function.get_concrete_function(
                *arguments
            )
        return self._traces[likes]

    def tracing_count(self) -> int:
        """Returns how often TensorFlow has traced the function."""
        return self._function.experimental_get_tracing_count()


def by_xla(function: Callable[..., Any], jit_compile: bool) -> Callable:
    """Returns a function that XLA compiles, if it is to be compiled.

    Args:
        function: of tensors, called where another is traced. What it reads
            from around it are its inputs, too.
        jit_compile: whether it is to be compiled.
    """
    if not jit_compile:
        return function
    return tf.function(function, autograph=False, jit_compile=True)
