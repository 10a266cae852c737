"""How long a request will take, reckoned from those before it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

_WEIGHT = 0.5  # of the newest request in what is remembered
_STEP = 20  # examples that an inner step takes as long as, about
_LITTLE = 200  # work of which most of the time is none of it


class Pace:
    """The seconds that a model's signatures take for a unit of work."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def expect(self, signature: str, inputs: Mapping[str, Any]) -> float:
        """Returns the seconds that a request will take; 0 of the first."""
        return self._seconds.get(signature, 0.0) * _work(inputs)

    def note(
        self,
        signature: str,
        inputs: Mapping[str, Any],
        seconds: float,
        ended: bool = True,
    ) -> None:
        """Learns from a request.

        Args:
            signature: that was asked.
            inputs: that were given.
            seconds: that it took.
            ended: whether it came to its end; if not, it would have taken more.
        """
        work = _work(inputs)
        if work < _LITTLE and signature in self._seconds:
            return
        pace = seconds / work
        before = self._seconds.get(signature, pace)
        mean = before + _WEIGHT * (pace - before)
        self._seconds[signature] = mean if ended else max(before, pace)


def _work(inputs: Mapping[str, Any]) -> float:
    """Returns the examples of a request, and its inner steps as examples."""
    sizes = [np.shape(value) for value in inputs.values()]
    rows = max((size[0] for size in sizes if size), default=1)
    steps = np.asarray(inputs.get("steps", 0))
    counted = steps.ndim == 0 and np.issubdtype(steps.dtype, np.integer)
    return 1 + rows + (_STEP * max(steps.item(), 0) if counted else 0)
