"""How TensorFlow uses the machine."""

import os

import tensorflow as tf
from absl import logging


def configure_threads(
    intra_op_threads: int = 1, inter_op_threads: int = 0
) -> None:
    """Chooses TensorFlow's threads; call it before TensorFlow does anything.

    The operations of few-shot learners are small: running several side by side
    on a thread each is faster than splitting each over threads. The commands
    call it; in a program of your own, it goes right after the imports:

    >>> import reptile_tf as rt
    >>> rt.configure_threads()

    Args:
        intra_op_threads: threads an operation is split over; 0 for
            TensorFlow's choice.
        inter_op_threads: operations that run at a time; 0 for one a core.

    Raises:
        RuntimeError: TensorFlow has begun with other threads, which it does
            not change any more.
    """
    chosen = intra_op_threads, inter_op_threads or os.cpu_count() or 1
    if chosen == configured():
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(chosen[0])
        tf.config.threading.set_inter_op_parallelism_threads(chosen[1])
    except RuntimeError as error:
        raise RuntimeError(
            "TensorFlow chooses its threads when it begins, which it has: call "
            "rt.configure_threads() right after the imports, or in the first "
            "cell of a restarted notebook"
        ) from error


_told: list[bool] = []


def advise() -> None:
    """Says once how training gets faster, where TensorFlow chose the threads.

    A GPU has work enough in one operation; so has a single core.
    """
    if _told or configured()[0] or (os.cpu_count() or 1) == 1:
        return
    _told.append(True)
    if not tf.config.get_visible_devices("GPU"):
        logging.warning(
            "TensorFlow splits every operation over all cores, which for small "
            "networks takes about twice as long as a core for each. To change "
            "that, call reptile_tf.configure_threads() right after the "
            "imports, before TensorFlow does anything."
        )


def share(processes: int) -> None:
    """Gives this process its share of the operations that run at a time.

    Call it before TensorFlow does anything.

    Args:
        processes: that share what `configure_threads` chose, at least 1.
    """
    each, operations = configured()
    configure_threads(each, max(1, operations // processes))


def configured() -> tuple[int, int]:
    """Returns the threads of an operation, and the operations at a time."""
    chosen = tf.config.threading
    return (
        chosen.get_intra_op_parallelism_threads(),
        chosen.get_inter_op_parallelism_threads(),
    )
