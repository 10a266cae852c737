"""What an outer iteration moves besides phi and the meta-optimizer."""

from typing import Any

import tensorflow as tf

from reptile_tf.training.epoch_logs import EpochLogs


class LearnerState:
    """The inner optimizer's state and the count of outer iterations.

    They are variables, as phi and the meta-optimizer's own are, so that one
    call of one compiled function writes all that an outer iteration changes.
    Python looks for interrupts and signals between its own instructions alone:
    they come before that call or after it, and never find half of it done.

    Args:
        inner: the inner optimizer's state before the first step, a structure
            of tensors.

    Attributes:
        epoch_logs: of the epoch that the training is in.
    """

    def __init__(self, inner: Any):
        self._inner = tf.nest.map_structure(
            lambda t: tf.Variable(t, trainable=False), inner
        )
        self._iteration = tf.Variable(0, trainable=False, dtype=tf.int64)
        self.epoch_logs = EpochLogs()

    @property
    def inner(self) -> Any:
        """The inner optimizer's state, as tensors."""
        return tf.nest.map_structure(tf.convert_to_tensor, self._inner)

    @inner.setter
    def inner(self, state: Any) -> None:
        tf.nest.map_structure(lambda v, t: v.assign(t), self._inner, state)

    @property
    def iteration(self) -> int:
        """The outer iterations made."""
        return int(self._iteration)

    @iteration.setter
    def iteration(self, number: int) -> None:
        self._iteration.assign(number)
        self.epoch_logs = EpochLogs()  # they were of other iterations

    def first_task(self, n: tf.Tensor) -> tf.Tensor:
        """Returns the number of the next iteration's first task, int64.

        Made of tensors: TensorFlow would keep that of a Python number for ever.

        Args:
            n: the tasks of an iteration, int64.
        """
        return self._iteration * n

    def move(self, inner: Any) -> None:
        """Takes the state that an outer iteration ended with, and counts it.

        It belongs into the compiled function that moves phi.

        Args:
            inner: the inner optimizer's state after the iteration.
        """
        self.inner = inner
        self._iteration.assign_add(1)


class Stateful:
    """What a `MetaLearner` shows of its state."""

    _state: LearnerState
    model: Any
    meta_optimizer: Any

    def _variables(self) -> list[tf.Variable]:
        """Returns all that a learner is, besides its settings."""
        mine = tf.nest.flatten(self._state.inner)
        return [*self.model.weights, *self.meta_optimizer.variables, *mine]

    @property
    def inner_state(self) -> Any:
        """The inner optimizer's state, carried through training; tensors."""
        return self._state.inner

    @inner_state.setter
    def inner_state(self, state: Any) -> None:
        self._state.inner = state

    @property
    def iteration(self) -> int:
        """The outer iterations made."""
        return self._state.iteration

    @iteration.setter
    def iteration(self, number: int) -> None:
        self._state.iteration = number

    @property
    def epoch_logs(self) -> EpochLogs:
        """The logs of the epoch that the training is in."""
        return self._state.epoch_logs

    @epoch_logs.setter
    def epoch_logs(self, logs: EpochLogs) -> None:
        self._state.epoch_logs = logs
