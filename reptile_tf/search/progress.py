"""What people see of a search: a bar, and a line for each trial."""

import time
from collections.abc import Sequence

from reptile_tf.search.report import line
from reptile_tf.search.search import Search
from reptile_tf.search.trials import History, Trial
from reptile_tf.utils.bars import Bar

# How often it looks what others have made within a trial, in seconds.
_PAUSE = 2.0


class Progress:
    """Shows the trials done, the best so far, and about how long is left.

    As a context it shows a bar while its block runs. Trials of other workers
    are shown too, as soon as their results are in the log.

    Args:
        search: the search.
        num_trials: the trials of the whole search.
        show: whether anything is to be shown.
    """

    def __init__(self, search: Search, num_trials: int, show: bool = True):
        self._search, self._total, self._show = search, num_trials, show
        self._seen: set[int] = set()
        self._bar: Bar | None = None
        self._next = 0.0
        self._part, self._best = 0.0, ""

    def __enter__(self):
        if not self._show:
            return self
        history = self._search.history()
        self._seen = set(history.results)
        done = min(len(self._seen), self._total)
        self._bar = Bar(self._total, "trial", digits=1, initial=done)
        self._note_best(history)
        self._move()
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()

    def tick(self, iteration: int) -> None:
        """Moves the bar within a trial.

        Args:
            iteration: the outer iterations of the trial that are made.
        """
        if self._bar is None:
            return
        self._part = iteration / self._search.settings.trial_iterations
        if time.monotonic() > self._next:  # what others have made
            self.refresh()
        self._move()

    def refresh(self) -> None:
        """Shows what has come to the log since it was called last."""
        if self._bar is None:
            return
        self._next = time.monotonic() + _PAUSE
        history = self._search.history()
        for trial, result in history.done():
            if trial.number not in self._seen:
                self._seen.add(trial.number)
                self._part = 0.0
                count = f"{len(self._seen)}/{self._total}"
                self._bar.say(f"[{count}] {line(trial, result)}")
        self._note_best(history)
        self._move()

    def waits_for(self, trials: Sequence[Trial]) -> None:
        """Says that nothing can be done until others have made trials."""
        if self._bar is not None:
            names = ", ".join(str(trial.number) for trial in trials)
            self._bar.say(
                f"Waiting for trials that other workers are at: {names}. One "
                "that is stopped has to go on, or be ended"
            )

    def _note_best(self, history: History) -> None:
        best = history.best()
        if best is not None:
            score = best[1].score
            self._best = f"best {score and score.short()}"

    def _move(self) -> None:
        if self._bar is not None:
            done = min(len(self._seen) + self._part, self._total)
            self._bar.show(done, self._best)
