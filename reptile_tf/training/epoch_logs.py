"""The logs of an epoch, whichever processes its iterations were made by."""

import math
from collections.abc import Mapping

import numpy as np

# Logs that are counts: an epoch has their sums, and means of the others.
COUNTS = ("skipped_tasks",)

# Of the arrays of a saved learner that are these.
_PREFIX = "epoch/"
_FIRST = "first"


class EpochLogs:
    """The logs of an epoch so far.

    A learner has them, and so has its file: an epoch that was begun before a
    stop, and is ended after it, has the logs of one that was never stopped.

    >>> from reptile_tf.training.epoch_logs import EpochLogs
    >>> logs = EpochLogs()
    >>> logs.with_more({"loss": 1.0})
    {'loss': 1.0}
    >>> logs.with_more({"loss": 2.0})
    {'loss': 1.5}
    """

    def __init__(self) -> None:
        self._first = 0
        # Name -> the sum, and of how many iterations it is.
        self._sums: dict[str, tuple[float, int]] = {}

    def begin(self, first: int, made: int) -> None:
        """Begins an epoch, or goes on with it.

        Args:
            first: the number of its first iteration.
            made: the iterations made, those before the epoch included.
        """
        if made == first or first != self._first:
            self._first, self._sums = first, {}

    def with_more(self, logs: Mapping[str, float]) -> dict[str, float]:
        """Returns them with those of one more iteration.

        Args:
            logs: of the iteration; NaN where it has no value.
        """
        for name, value in logs.items():
            total, made = self._sums.get(name, (0.0, 0))
            if not math.isnan(value):
                total, made = total + value, made + 1
            self._sums[name] = total, made
        return {name: self._value(name) for name in logs}

    def _value(self, name: str) -> float:
        total, made = self._sums[name]
        if name in COUNTS:
            return int(total)
        return total / made if made else math.nan

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns them as a saved learner holds them; nothing if none."""
        if not self._sums:
            return {}
        sums = {_PREFIX + _FIRST: np.array(self._first)}
        for name, pair in self._sums.items():
            sums[f"{_PREFIX}sum/{name}"] = np.array(pair, np.float64)
        return sums

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "EpochLogs":
        """Returns those of a saved learner.

        Args:
            arrays: all that it has.

        Raises:
            ValueError: they are not what `arrays` returned.
        """
        logs = cls()
        for name, array in arrays.items():
            if name == _PREFIX + _FIRST:
                logs._first = int(_numbers(name, array, ()))
            elif name.startswith(f"{_PREFIX}sum/"):
                total, made = _numbers(name, array, (2,)).tolist()
                logs._sums[name.removeprefix(f"{_PREFIX}sum/")] = (
                    float(total),
                    int(made),
                )
        return logs


def _numbers(name: str, array: np.ndarray, shape: tuple) -> np.ndarray:
    if array.shape != shape or array.dtype.kind not in "if":
        raise ValueError(
            f"{name} must have numbers of shape {list(shape)}; it has "
            f"{array.dtype} {list(array.shape)}"
        )
    return array
