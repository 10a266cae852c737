"""How TensorFlow uses the machine."""

import os

import tensorflow as tf


def configure(intra_op_threads: int = 1, inter_op_threads: int = 0) -> None:
    """Chooses TensorFlow's threads; call it before TensorFlow does anything.

    The operations of few-shot learners are small: running several side by side
    on a thread each is faster than splitting each over threads.

    Args:
        intra_op_threads: threads an operation is split over; 0 for
            TensorFlow's choice.
        inter_op_threads: operations that run at a time; 0 for one a core.
    """
    tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(
        inter_op_threads or os.cpu_count()
    )


def share(processes: int) -> None:
    """Gives this process its share of the operations that run at a time.

    Call it before TensorFlow does anything.

    Args:
        processes: that share what `configure` chose, at least 1.
    """
    each, operations = configured()
    configure(each, max(1, operations // processes))


def configured() -> tuple[int, int]:
    """Returns the threads of an operation, and the operations at a time."""
    chosen = tf.config.threading
    return (
        chosen.get_intra_op_parallelism_threads(),
        chosen.get_inter_op_parallelism_threads(),
    )
