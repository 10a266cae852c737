"""How TensorFlow uses the machine."""

import os
import sys

# Whether TensorFlow computes with oneDNN, which it reads when it is imported.
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


# What has been done in this process: a choice, and advice.
_asked: list[str] = []


def configure_tensorflow(
    intra_op_threads: int = 1, inter_op_threads: int = 0
) -> None:
    """Makes TensorFlow fast for few-shot learners on a processor.

    The commands call it. A program of your own calls it before it imports
    TensorFlow or Keras:

    >>> import reptile_tf as rt
    >>> rt.configure_tensorflow()
    >>> import keras

    The operations of few-shot learners are small: running several side by side
    on a thread each is faster than splitting each over threads. And TensorFlow
    is to compute with oneDNN, which it does by itself on newer processors only,
    unless the environment's TF_ENABLE_ONEDNN_OPTS says otherwise. Where
    TensorFlow is imported already, it computes as it would have.

    Args:
        intra_op_threads: threads an operation is split over; 0 for
            TensorFlow's choice.
        inter_op_threads: operations that run at a time; 0 for one a core.

    Raises:
        RuntimeError: TensorFlow has begun to compute with other threads, which
            it does not change any more.
    """
    _asked.append("configure_tensorflow")
    if "tensorflow" not in sys.modules:
        os.environ.setdefault(_ONEDNN, "1")
    import tensorflow as tf

    chosen = intra_op_threads, inter_op_threads or cores()
    if chosen == configured():
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(chosen[0])
        tf.config.threading.set_inter_op_parallelism_threads(chosen[1])
    except RuntimeError as error:
        raise RuntimeError(
            "TensorFlow chooses its threads when it begins to compute, which "
            "it has: call reptile_tf.configure_tensorflow() before, as in the "
            "first cell of a restarted notebook"
        ) from error


def advise() -> None:
    """Says once how training gets faster, where TensorFlow chose the threads.

    A GPU has work enough in one operation; so has a single core.
    """
    import tensorflow as tf
    from absl import logging

    if _asked or configured()[0] or cores() == 1:
        return
    _asked.append("advise")
    if not tf.config.get_visible_devices("GPU"):
        logging.warning(
            "TensorFlow splits every operation over all cores, which for small "
            "networks takes up to twice as long as a core for each. To change "
            "that, call reptile_tf.configure_tensorflow() before you import "
            "TensorFlow or Keras."
        )


def share(processes: int) -> None:
    """Gives this process its share of the operations that run at a time.

    Call it before TensorFlow does anything.

    Args:
        processes: that share what `configure_tensorflow` chose, at least 1.
    """
    each, operations = configured()
    configure_tensorflow(each, max(1, operations // processes))


def configured() -> tuple[int, int]:
    """Returns the threads of an operation, and the operations at a time."""
    import tensorflow as tf

    chosen = tf.config.threading
    return (
        chosen.get_intra_op_parallelism_threads(),
        chosen.get_inter_op_parallelism_threads(),
    )


def operations_at_a_time() -> int:
    """Returns how many operations may run at the same time, at least 1."""
    return configured()[1] or cores()


def cores() -> int:
    """Returns how many cores this process may use, at least 1.

    Those of the machine, but for those that a container, a job of Slurm or
    `taskset` keeps from it.
    """
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
