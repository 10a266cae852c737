"""How long a request will take, reckoned from those before it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

_WEIGHT = 0.5  # of the newest request in what is remembered


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
        pace = seconds / _work(inputs)
        before = self._seconds.get(signature, pace)
        mean = before + _WEIGHT * (pace - before)
        self._seconds[signature] = mean if ended else max(before, pace)


def _work(inputs: Mapping[str, Any]) -> float:
    """Returns the inner steps of a request and its examples, together.

    A step takes longer than an example, but a request of much work takes
    longer than one of little.
    """
    sizes = [np.shape(value) for value in inputs.values()]
    rows = max((size[0] for size in sizes if size), default=1)
    steps = inputs.get("steps", 0)
    whole = np.issubdtype(np.asarray(steps).dtype, np.integer)
    return (
        1 + rows + (max(int(steps), 0) if np.size(steps) == 1 and whole else 0)
    )
