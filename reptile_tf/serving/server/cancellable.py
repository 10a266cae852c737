"""Calling a graph in a way that another thread can end."""

import itertools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import cancellation, context, execute


class Cancellation:
    """Ends the calls that were made with it.

    TensorFlow has a context manager for it, too. That is one for all threads
    together, so that a call might be ended with another's.
    """

    def __init__(self) -> None:
        self._manager = cancellation.CancellationManager()

    def cancel(self) -> None:
        """Ends them, between two operations of their graphs."""
        self._manager.start_cancel()

    def call(
        self, function: Any, inputs: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Returns name -> output of a signature's function.

        Args:
            function: of a SavedModel's `signatures`.
            inputs: name -> value of each input.

        Raises:
            tf.errors.CancelledError: it was ended.
            tf.errors.OpError: the graph fails.
        """
        where = context.context()
        options = where.function_call_options.as_attrs()
        outputs = execute.execute_with_cancellation(
            function.name.decode(),
            num_outputs=len(function.outputs),
            inputs=[
                *(inputs[name] for name in function._arg_keywords),
                *function.captured_inputs,
            ],
            attrs=tuple(itertools.chain(*options.items())),
            ctx=where,
            cancellation_manager=self._manager,
        )
        return tf.nest.pack_sequence_as(function.structured_outputs, outputs)
