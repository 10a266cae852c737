"""A run that several processes train: the chief, and those that follow it.

The chief, worker 0, reads and writes the run folder. The others need none: they
are sent the learner, and what else it found there.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from reptile_tf.data.splits import TaskSplits
from reptile_tf.training import checkpoints, saving
from reptile_tf.training.distribution import Distribution
from reptile_tf.training.learner import MetaLearner

if TYPE_CHECKING:
    from reptile_tf.experiments.run import Run


def lead(
    distribution: Distribution,
    learner: MetaLearner,
    tasks: TaskSplits,
    how: dict[str, int],
) -> None:
    """Sends the others what they train, if there are any.

    Args:
        distribution: the processes, of which this is the chief.
        learner: as it is now.
        tasks: theirs should be the same.
        how: arguments of `MetaLearner.fit`.
    """
    told = {"classes": tasks.class_sizes, "how": how}
    distribution.from_chief(json.dumps(told).encode())
    if distribution.workers > 1:
        distribution.from_chief(saving.to_bytes(learner))


def dismiss(distribution: Distribution) -> None:
    """Tells the others that there is nothing left to do, if there are any."""
    distribution.from_chief()


def follow(
    run: "Run",
    strategy: tf.distribute.Strategy,
    distribution: Distribution,
    callbacks: Sequence[keras.callbacks.Callback],
) -> int | None:
    """Trains what the chief sends; writes nothing.

    Args:
        run: whose tasks are trained on.
        strategy: of the processes.
        distribution: of the strategy.
        callbacks: as the chief's.

    Returns:
        As `Run.train`.

    Raises:
        ValueError: this process finds other classes than the chief.
    """
    tasks = run.tasks()
    sent = distribution.from_chief()
    if not sent:
        return None
    told = json.loads(sent)
    learner = saving.load(MetaLearner, distribution.from_chief(), None)
    # Tasks depend on the order of the classes, too.
    if json.dumps(told["classes"]) != json.dumps(tasks.class_sizes):
        raise ValueError(
            f"dataset={run.preset.dataset} has other classes here than where "
            "worker 0 runs"
        )
    minded = checkpoints.Checkpoint(learner, ".", saves=False)
    run.signal = train(
        *(learner, tasks, told["how"], minded, strategy),
        [minded, *callbacks],
        verbose=0,
    )
    ended = learner.iteration >= told["how"]["outer_iterations"]
    return None if ended else run.signal


def train(
    learner: MetaLearner,
    tasks: TaskSplits,
    how: dict[str, int],
    checkpoint: checkpoints.Checkpoint,
    strategy: tf.distribute.Strategy | None,
    callbacks: list[keras.callbacks.Callback],
    verbose: int,
) -> int | None:
    """Trains as one process, or as one of several.

    Args:
        learner: to train.
        tasks: to train and to validate on.
        how: more arguments of `MetaLearner.fit`.
        checkpoint: one of the callbacks.
        strategy: as of `MetaLearner.fit`.
        callbacks: as of `MetaLearner.fit`.
        verbose: as of `MetaLearner.fit`.

    Returns:
        The number of the signal that came, to any of the processes, or None.
    """
    with checkpoint:
        learner.fit(
            tasks.train,
            **how,
            validation_tasks=tasks.validation,
            validation_prefix="val" if tasks.held_out else "train",
            callbacks=callbacks,
            verbose=verbose,
            strategy=strategy,
        )
    return Distribution(strategy).largest(checkpoint.signal or 0) or None
