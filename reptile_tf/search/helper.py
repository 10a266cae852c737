"""A worker as a process of its own, beside the command that started it.

It works until the search is done, or until its standard input ends, as it does
when the command that started it ends or dies.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

from absl import logging

from reptile_tf.utils import log

# How long a worker may take to finish an iteration, in seconds.
_PATIENCE = 60.0


@contextlib.contextmanager
def helpers(
    count: int,
    folder: str | os.PathLike,
    num_trials: int,
    checkpoint_every: int,
    data_dir: str | os.PathLike | None = None,
) -> Iterator[None]:
    """Runs workers beside this process, and ends them with the block.

    Args:
        count: how many, at least 0.
        folder: of a search that has begun.
        num_trials: as of `reptile_tf.search.worker.work`.
        checkpoint_every: as of `reptile_tf.search.worker.work`.
        data_dir: TFDS's data_dir; TFDS's default if None.
    """
    from reptile_tf.utils import machine  # the helper's start does without it

    words = [folder, num_trials, checkpoint_every, *machine.configured()]
    words += [] if data_dir is None else [data_dir]
    # They import what this process does, and nothing that lies about in the
    # current folder.
    path = os.pathsep.join(filter(None, sys.path))
    processes = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, *map(str, words)],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            # A terminal's Ctrl-C is for this process, which then tells them.
            start_new_session=True,
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in processes:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    """Waits for a worker that was told to end; wakes it up if it is stopped."""
    for number in (signal.SIGCONT, signal.SIGKILL):
        try:
            status = process.wait(_PATIENCE)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(number)
    else:
        status = process.wait()
    if status not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):
        print(
            f"reptile-tf search: a worker ended with status {status}; another "
            "one goes on with its trial",
            file=sys.stderr,
        )


def main(
    folder: str,
    num_trials: str,
    checkpoint_every: str,
    intra_op_threads: str,
    inter_op_threads: str,
    data_dir: str | None = None,
) -> int:
    """Works as one of several workers on this machine; see `helpers`.

    Returns:
        The exit status.
    """
    log.quiet_tensorflow()
    logging.use_absl_handler()  # which TensorFlow's messages go through, too
    logging.set_verbosity(logging.ERROR)
    with log.held_back():
        import tensorflow as tf

        from reptile_tf.search import worker
        from reptile_tf.search.search import Search
        from reptile_tf.utils import machine
    machine.configure_tensorflow(int(intra_op_threads), int(inter_op_threads))
    # Not by sys.stdin, whose lock would be held when this process ends.
    descriptor = sys.stdin.fileno()
    threading.Thread(target=_end_with, args=(descriptor,), daemon=True).start()
    try:
        number = worker.work(
            Search.open(folder, data_dir),
            int(num_trials),
            int(checkpoint_every),
        )
    except (ValueError, OSError, MemoryError, tf.errors.OpError) as error:
        reason = " ".join(str(error).splitlines()[:1])
        print(
            f"reptile-tf search, one of its workers: {reason}", file=sys.stderr
        )
        return 1
    return 0 if number is None else 128 + number


def _end_with(descriptor: int) -> None:
    """Sends this process SIGTERM when the other end of a pipe is closed."""
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    # At once: the end of the pipe may come while Python cleans up.
    os._exit(status)
