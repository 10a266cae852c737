"""What an evaluation found: a mean over tasks, and its 95% interval."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from reptile_tf.utils import json_file


@dataclasses.dataclass(frozen=True)
class Score:
    """What an evaluation found; it prints as one line.

    >>> import reptile_tf as rt
    >>> print(rt.Score.of("support", "accuracy", [0.9, 1.0, 0.8, 0.9]))
    support accuracy: 90.00% +- 8.00% (95% interval, 4 tasks)

    Attributes:
        mode: name of the evaluation mode, one of
            `reptile_tf.training.settings.EVALUATION_MODES`.
        metric: name of the metric.
        value: mean over the tasks.
        ci95: half the width of the mean's 95% interval over tasks.
        num_tasks: the number of tasks.
    """

    mode: str
    metric: str
    value: float
    ci95: float
    num_tasks: int

    @classmethod
    def of(cls, mode: str, metric: str, values: npt.ArrayLike) -> "Score":
        """Summarizes the values of the tasks, `[num_tasks]`."""
        values = np.asarray(values, np.float64)
        if len(values) < 2:
            raise ValueError(
                f"an interval needs at least 2 tasks; received {len(values)}"
            )
        ci95 = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        return cls(mode, metric, values.mean().item(), ci95.item(), len(values))

    @classmethod
    def of_dict(cls, entry: Mapping[str, Any]) -> "Score":
        """Returns the score that `as_dict` made an entry of."""
        names = list(entry)
        metric = names[names.index("mode") + 1]
        return cls(
            entry["mode"],
            metric,
            entry[metric],
            entry["ci95"],
            entry["num_tasks"],
        )

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields, the value under the metric's name."""
        return {
            "mode": self.mode,
            self.metric: self.value,
            "ci95": self.ci95,
            "num_tasks": self.num_tasks,
        }

    def __str__(self) -> str:
        return (
            f"{self.mode} {self.metric}: {self._number()} "
            f"(95% interval, {self.num_tasks} tasks)"
        )

    def short(self) -> str:
        """Returns it as a part of a line."""
        number = self._number()
        return f"{self.mode} {self.metric} {number} ({self.num_tasks} tasks)"

    def _number(self) -> str:
        if "accuracy" in self.metric:
            return f"{self.value:.2%} +- {self.ci95:.2%}"
        return f"{self.value:.4g} +- {self.ci95:.2g}"


@dataclasses.dataclass(frozen=True)
class Share:
    """How many of n answers were right; it prints as one line.

    >>> from reptile_tf.training.score import Share
    >>> print(Share(9, 10))
    90.0% (95% interval 59.6% to 98.2%, 10 pictures)

    Attributes:
        right: the right answers.
        total: all answers, at least 1.
    """

    right: int
    total: int

    def interval(self) -> tuple[float, float]:
        """Returns Wilson's 95% interval, which holds for few answers too."""
        n, p, z = self.total, self.right / self.total, 1.96
        middle = p + z * z / (2 * n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        return (middle - half) / scale, (middle + half) / scale

    def __str__(self) -> str:
        low, high = self.interval()
        return (
            f"{self.right / self.total:.1%} (95% interval {low:.1%} to "
            f"{high:.1%}, {self.total} pictures)"
        )


def table(scores: Sequence[Score]) -> str:
    """Returns the scores as aligned lines for people."""
    width = max(len(s.mode) for s in scores)
    return "\n".join(f"  {'':{width - len(s.mode)}}{s}" for s in scores)


def read_entries(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Returns the scores, with what they are of, that a JSON file holds.

    Args:
        path: of an evaluation.json or the like, of whatever version.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        entries = json_file.read(path)
        _take_old_names(entries)
        if not entries or not all("num_tasks" in entry for entry in entries):
            raise TypeError("it must hold a list of evaluations")
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; remove it, and evaluate again"
        ) from error
    return entries


def _take_old_names(entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        if "tasks" in entry:  # until version 0.1
            entry["num_tasks"] = entry.pop("tasks")
        # Until version 0.2 all were of test tasks, and the word told how
        # Omniglot was split.
        if entry.get("split") in ("characters", "alphabets"):
            entry["omniglot_split"] = entry["split"]
            entry["split"] = "test"


def as_logs(scores: Sequence[Score], prefix: str) -> dict[str, float]:
    """Returns scores as Keras's callbacks have them: name -> number.

    Args:
        scores: of one evaluation.
        prefix: of the names.
    """
    values = {f"{s.mode}_{s.metric}": s.value for s in scores}
    values |= {f"{s.mode}_ci95": s.ci95 for s in scores}
    return {f"{prefix}_{name}": value for name, value in values.items()}
