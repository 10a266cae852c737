"""Trials and their results, as the entries of a search's log say them."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from reptile_tf.training.score import Score

# How a trial may end: trained to its end and evaluated; stopped where it could
# not matter any more; with a loss that is no number; or out of memory.
FINISHED, PRUNED, DIVERGED = "finished", "pruned", "diverged"
FAILED = "failed"


class Trial(NamedTuple):
    """What is tried.

    Attributes:
        number: of the trial, from 0.
        generation: its number; 0 has one trial alone, of the preset itself.
        values: the settings that are searched, by name.
        point: as the sampler drew it; empty in generation 0.
    """

    number: int
    generation: int
    values: dict[str, Any]
    point: list[float]


class Report(NamedTuple):
    """How a training did along the way.

    Attributes:
        iteration: the outer iterations made.
        value: mean of the metric over validation tasks.
        ci95: half the width of its 95% interval.
    """

    iteration: int
    value: float
    ci95: float


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a trial.

    Attributes:
        trial: its number.
        state: one of `FINISHED`, `PRUNED`, `DIVERGED` and `FAILED`.
        iterations: the outer iterations made.
        score: at the end where it finished, else None.
        reports: along the way.
        reason: in words, where it did not finish.
    """

    trial: int
    state: str
    iterations: int
    score: Score | None = None
    reports: tuple[Report, ...] = ()
    reason: str = ""

    def entry(self) -> dict[str, Any]:
        """Returns it as an entry of the log."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Result":
        """Returns the result of an entry."""
        score = entry["score"]
        return cls(
            **entry
            | {
                "score": score and Score(**score),
                "reports": tuple(Report(*each) for each in entry["reports"]),
            }
        )

    def __str__(self) -> str:
        if self.score is not None:
            return self.score.short()
        if self.state != PRUNED:
            return f"{self.state}: {self.reason}"
        return f"{self.state} at iteration {self.iterations:,}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Generation:
    """The trials that are drawn at a time.

    Attributes:
        trials: the trials.
        spread: of the sampler that drew them; see `Sampler.spread`.
    """

    trials: tuple[Trial, ...]
    spread: dict[str, float]

    def entry(self) -> dict[str, Any]:
        """Returns it as an entry of the log."""
        return {
            "trials": [list(trial) for trial in self.trials],
            "spread": self.spread,
        }

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Generation":
        """Returns the generation of an entry."""
        trials = tuple(Trial(*each) for each in entry["trials"])
        return cls(trials, entry["spread"])


class History:
    """What a search has tried and found so far.

    Args:
        entries: of the log, the first of which is the search's settings.

    Attributes:
        generations: all that were drawn.
        results: trial's number -> its result.
    """

    def __init__(self, entries: Iterable[dict[str, Any]]):
        self.generations: list[Generation] = []
        self.results: dict[int, Result] = {}
        for entry in list(entries)[1:]:
            if "trials" in entry:
                self.generations.append(Generation.of(entry))
            else:
                result = Result.of(entry)
                self.results[result.trial] = result

    def trials(self) -> list[Trial]:
        """Returns all trials that were drawn, in the order of their numbers."""
        return [trial for each in self.generations for trial in each.trials]

    def done(self) -> list[tuple[Trial, Result]]:
        """Returns the trials with results, in the order of their numbers."""
        return [
            (trial, self.results[trial.number])
            for trial in self.trials()
            if trial.number in self.results
        ]

    def open_trials(self, num_trials: int) -> list[Trial]:
        """Returns those of the first `num_trials` without a result yet."""
        drawn = self.trials()[:num_trials]
        return [each for each in drawn if each.number not in self.results]

    def before(self, generation: int) -> list[Result]:
        """Returns the results of the generations before one.

        A trial may be compared with these alone: they are the same however
        many workers there are.
        """
        return [
            self.results[trial.number]
            for trial in self.trials()
            if trial.generation < generation
        ]

    def best(self) -> tuple[Trial, Result] | None:
        """Returns the best trial that finished; None before there is one."""
        finished = [pair for pair in self.done() if pair[1].score is not None]
        return min(finished, key=lambda pair: _rank(pair[1]), default=None)


def better(metric: str, value: float) -> float:
    """Returns a number that is the larger the better a metric's value is."""
    return value if "accuracy" in metric else -value


def costs(results: Sequence[Result]) -> list[float]:
    """Returns what a sampler is told of a generation: of each its place.

    CMA-ES looks at the order alone. What was stopped early comes after all
    that finished: what it would have come to is not known. What diverged or
    failed costs infinity.

    Args:
        results: one for each trial.
    """
    order = sorted(results, key=_rank)
    place = {result.trial: float(i) for i, result in enumerate(order)}
    return [
        place[result.trial] if result.state in (FINISHED, PRUNED) else math.inf
        for result in results
    ]


def _rank(result: Result) -> tuple:
    """Returns what results are sorted by, the best first.

    Of two that were stopped, the one that went on for longer is the better.
    """
    if result.score is not None:
        return 0, -better(result.score.metric, result.score.value)
    if result.state == PRUNED:
        return 1, -result.iterations, result.trial
    return 2, result.trial
