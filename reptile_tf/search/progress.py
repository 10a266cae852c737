"""What people see of a search: a bar, and a line for each trial."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from reptile_tf.search.report import line
from reptile_tf.search.search import Search
from reptile_tf.search.trials import History, Trial
from reptile_tf.utils.extras import extra

with extra("search"):
    import tqdm

# The bar takes what the words leave of a line.
_FORMAT = "{bar} {n:.1f}/{total} trials, {remaining} left{postfix}"
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
        self._bar: Any = None
        self._next = 0.0

    def __enter__(self):
        if not self._show:
            return self
        history = self._search.history()
        self._seen = set(history.results)
        done = min(len(self._seen), self._total)
        self._bar = tqdm.tqdm(
            total=self._total,
            initial=done,
            bar_format=_FORMAT,
            file=sys.stdout,
            disable=sys.stdout is None or not sys.stdout.isatty(),
            dynamic_ncols=True,
            smoothing=0,  # the time of a mean trial, not that of an iteration
        )
        self._show_best(history)
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
        if time.monotonic() > self._next:  # what others have made
            self.refresh()
        if not self._bar.disable:
            part = iteration / self._search.settings.trial_iterations
            self._bar.n = min(len(self._seen) + part, self._total)
            self._bar.update(0)

    def refresh(self) -> None:
        """Shows what has come to the log since it was called last."""
        if self._bar is None:
            return
        self._next = time.monotonic() + _PAUSE
        history = self._search.history()
        for trial, result in history.done():
            if trial.number not in self._seen:
                self._seen.add(trial.number)
                self._bar.n = min(len(self._seen), self._total)
                count = f"{len(self._seen)}/{self._total}"
                self._say(f"[{count}] {line(trial, result)}")
        self._show_best(history)

    def waits_for(self, trials: Sequence[Trial]) -> None:
        """Says that nothing can be done until others have made trials."""
        if self._bar is not None:
            names = ", ".join(str(trial.number) for trial in trials)
            self._say(
                f"Waiting for trials that other workers are at: {names}. One "
                "that is stopped has to go on, or be ended"
            )

    def _say(self, text: str) -> None:
        if sys.stdout is not None:
            self._bar.write(text, file=sys.stdout)
            sys.stdout.flush()  # also where it is a file that is watched

    def _show_best(self, history: History) -> None:
        best = history.best()
        if best is not None:
            score = best[1].score
            self._bar.set_postfix_str(f"best {score and score.short()}")
