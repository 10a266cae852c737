"""A worker: takes a trial that nobody is at, makes it, and tells the result.

Any process that calls `work` on a search's folder is a worker of it, also on
another machine that shares the folder. A trial is taken by a lock, which the
system opens when its holder dies: another worker then goes on with the trial
from its last checkpoint.
"""

import contextlib
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from reptile_tf.search.progress import Progress
from reptile_tf.search.search import Search
from reptile_tf.search.trial_run import Stopped, TrialRun
from reptile_tf.search.trials import Trial
from reptile_tf.utils import locks, signals

# How often a worker without a trial looks whether there is one, in seconds.
_PAUSE = 0.5
# After so many seconds it says what it waits for.
_LONG = 60.0


def work(
    search: Search,
    num_trials: int,
    checkpoint_every: int = 500,
    progress: Progress | None = None,
) -> int | None:
    """Makes trials until all are made, by this process or by others.

    Args:
        search: that has begun.
        num_trials: the trials of the whole search, at least 1.
        checkpoint_every: the outer iterations between two checkpoints.
        progress: shows how far the search is, if given.

    Returns:
        The number of the signal that stopped it, None at the end.
    """
    shown = progress or Progress(search, num_trials, show=False)
    try:
        with _Signals() as signals, shown:

            def tick(iteration: int) -> None:
                signals.check()
                shown.tick(iteration)

            idle = 0.0
            while trials := search.open_trials(num_trials):
                signals.check()
                if any(
                    _make_if_free(search, trial, checkpoint_every, tick)
                    for trial in trials
                ):
                    idle = 0.0
                else:
                    time.sleep(_PAUSE)
                    idle += _PAUSE
                    if idle == _LONG:
                        shown.waits_for(trials)
                shown.refresh()
            search.write()  # what a kill may have left undone
    except Stopped as stopped:
        return stopped.number
    return None


def _make_if_free(
    search: Search,
    trial: Trial,
    checkpoint_every: int,
    tick: Callable[[int], None],
) -> bool:
    """Makes a trial unless another worker is at it; says whether it did."""
    lock = search.folder / "locks" / f"trial-{trial.number:03d}.lock"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.held(lock, "make another trial"))
        except TimeoutError:
            return False
        history = search.history()
        if trial.number in history.results:  # by another, just now
            return True
        made = TrialRun(
            search.settings,
            trial,
            search.folder_of(trial.number),
            history.before(trial.generation),
            search.data_dir,
            tick,
        )
        search.tell(made.result(checkpoint_every))
    del made
    gc.collect()  # a learner and its compiled functions refer to each other
    return True


class _Signals:
    """Raises `Stopped` on signals that ask to end, outside of a training.

    A training minds them itself: it finishes its iteration and saves first. All
    else that a trial does can be done again.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._signals = contextlib.ExitStack()

    def __enter__(self):
        self._signals.enter_context(signals.handled(self._stop))
        self._hook, sys.unraisablehook = sys.unraisablehook, self._drop
        return self

    def __exit__(self, *_):
        self._signals.close()
        sys.unraisablehook = self._hook

    def _stop(self, number: int, frame: Any) -> None:
        del frame
        self._number = number
        raise Stopped(number)

    def _drop(self, dropped: Any) -> None:
        """Is quiet where Python drops what was raised; `check` is not."""
        if not isinstance(dropped.exc_value, Stopped):
            self._hook(dropped)

    def check(self) -> None:
        """Raises after all where Python dropped what was raised.

        It does so in an object's __del__, which may be what a signal meets.
        """
        if self._number is not None:
            raise Stopped(self._number)
