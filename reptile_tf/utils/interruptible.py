"""Calls into TensorFlow that an interrupt ends at once, and harms not."""

import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import cancellation, context

from reptile_tf.utils.compiled import Compiled

_PATIENCE = 2.0  # seconds for a cancelled function to end


def call(compiled: Compiled, *args: Any) -> Any:
    """Calls a compiled function; what a signal raises meanwhile ends it.

    Python answers signals between its own instructions alone, and a compiled
    function may run for minutes. So it runs in a thread of its own, and this
    one waits. Whatever is raised here, such as KeyboardInterrupt, cancels the
    function, which ends with the operation that it is at.

    Args:
        compiled: the function. It should have no effects besides what it
            returns, as it may end anywhere.
        *args: of it.
    """
    function = compiled.traced(*args)  # here, where the thread's scopes are
    if tf.config.functions_run_eagerly():
        return function(*args)
    cancels = cancellation.CancellationManager()
    scope = cancellation.CancellationManagerContext(cancels)

    def run() -> Any:
        with scope:
            return function(*args)

    def cancel() -> None:
        cancels.start_cancel()
        # The scope is that of all threads, and this function may take a while
        # to end: what others call from now on is not to be cancelled, too.
        scope.__exit__(None, None, None)

    return aside(run, cancel)


def aside(
    function: Callable[[], Any], cancel: Callable[[], Any] = lambda: None
) -> Any:
    """Calls a function in a thread of its own, which signals do not reach.

    TensorFlow 2.21 may crash where a signal raises inside of an operation that
    runs eagerly, such as the slice of a tensor. Only the main thread is sent
    signals; called in another, the function runs there.

    Args:
        function: takes nothing, and makes nothing of Keras, whose configuration
            is each thread's own.
        cancel: called if something is raised here before it ends.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    device = context.context().device_name
    outcome: dict[str, Any] = {}
    ended = threading.Event()

    def run() -> None:
        try:
            with tf.device(device):
                outcome["returned"] = function()
        except BaseException as error:
            outcome["raised"] = error
        finally:
            ended.set()

    thread = threading.Thread(target=run, daemon=True)
    try:
        thread.start()  # waits for the thread, and may be interrupted, too
        ended.wait()
    except BaseException:
        cancel()
        # Two threads at once in one tf.function would be too many.
        ended.wait(_PATIENCE)
        raise
    if "raised" in outcome:
        raise outcome.pop("raised")
    return outcome["returned"]
