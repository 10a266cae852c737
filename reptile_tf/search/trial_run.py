"""One trial: a short training in a run folder of its own, and its score."""

import errno
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from reptile_tf.experiments.epoch_log import read_history
from reptile_tf.experiments.run import Run
from reptile_tf.search import pruning
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.trials import (
    DIVERGED,
    FAILED,
    FINISHED,
    PRUNED,
    Report,
    Result,
    Trial,
)
from reptile_tf.training import checkpoints

_FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG


class Stopped(BaseException):
    """A signal stopped a trial; what it has made so far is saved."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


class TrialRun:
    """Trains and evaluates one trial, or goes on with it.

    Validation tasks alone are evaluated on. Test classes are not read.

    Args:
        settings: of the search.
        trial: the trial.
        folder: of the trial.
        earlier: the results of the generations before it.
        data_dir: TFDS's data_dir; TFDS's default if None.
        tick: called with the number of outer iterations made, again and again.
    """

    def __init__(
        self,
        settings: SearchSettings,
        trial: Trial,
        folder: pathlib.Path,
        earlier: Sequence[Result],
        data_dir: str | os.PathLike | None,
        tick: Callable[[int], None] = lambda iteration: None,
    ):
        self._settings, self._trial = settings, trial
        self._earlier, self._tick = earlier, tick
        self._run = Run(
            folder, settings.trial(trial.values), settings.seed, data_dir
        )

    def result(self, checkpoint_every: int) -> Result:
        """Returns what becomes of the trial.

        Args:
            checkpoint_every: the outer iterations between two checkpoints.

        Raises:
            Stopped: by a signal; called again it goes on.
        """
        settings, number = self._settings, self._trial.number
        self._start_again_if_damaged()
        try:
            # One that was killed after its last look is not looked at again.
            if self._refusal() is None:
                self._run.train(
                    checkpoint_every,
                    settings.eval_every,
                    settings.num_validation_tasks,
                    [_Watch(self._refusal, self._tick)],
                    verbose=0,
                )
                if self._run.signal is not None:
                    raise Stopped(self._run.signal)
            reports, reason = self._reports(), self._refusal()
            if reason is not None:
                made = reports[-1].iteration
                return Result(number, PRUNED, made, None, reports, reason)
            [score] = self._run.evaluate(
                settings.num_tasks,
                [settings.mode],
                verbose=0,
                split="validation",
            )
        except FloatingPointError as error:
            reports = self._reports()
            made = reports[-1].iteration if reports else 0
            return Result(number, DIVERGED, made, None, reports, str(error))
        except (MemoryError, tf.errors.ResourceExhaustedError) as error:
            if any(os.strerror(full) in str(error) for full in _FULL):
                raise  # of a disk, which is no matter of the settings
            told = f"out of memory: {' '.join(str(error).splitlines()[:1])}"
            return Result(number, FAILED, 0, reason=told)
        total = settings.trial_iterations
        return Result(number, FINISHED, total, score, reports)

    def _start_again_if_damaged(self) -> None:
        """Removes a trial that does not tell how its training went.

        Later trials are compared with that, so that it is no log alone.
        """
        folder = self._run.folder
        made = checkpoints.newest_iteration(folder / "checkpoints")
        try:
            told = len(self._reports())
        except ValueError:  # the file is damaged
            told = -1
        if told < made // self._settings.eval_every:
            shutil.rmtree(folder)

    def _reports(self) -> tuple[Report, ...]:
        """Returns how the training did, as its history.csv says.

        A resumed training has no other memory of it; so it has one alone.
        """
        path = self._run.folder / "history.csv"
        if not path.exists():
            return ()
        settings, (columns, lines) = self._settings, read_history(path)
        # Where nothing is normalized over a batch the modes are one, "support".
        modes = settings.mode, "support"
        starts = [f"val_{m}_" for m in modes if f"val_{m}_ci95" in columns]
        reports = []
        for line in lines:
            cells = dict(zip(columns, line, strict=True))
            # An epoch that was stopped has none; it is gone through again.
            if not starts or cells[f"{starts[0]}ci95"] == "NA":
                break
            made = (int(cells["epoch"]) + 1) * settings.eval_every
            report = Report(
                min(made, settings.trial_iterations),
                float(cells[starts[0] + settings.metric]),
                float(cells[f"{starts[0]}ci95"]),
            )
            reports.append(report)
        return tuple(reports)

    def _refusal(self) -> str | None:
        """Returns why the trial cannot matter any more; None where it may."""
        settings = self._settings
        if not settings.prune:
            return None
        for report in self._reports():
            if report.iteration < settings.trial_iterations:
                reason = pruning.hopeless(
                    report, self._earlier, settings.metric
                )
                if reason is not None:
                    return reason
        return None


class _Watch(keras.callbacks.Callback):
    """Tells how far a training is, and stops it where it cannot matter."""

    def __init__(
        self, refusal: Callable[[], str | None], tick: Callable[[int], Any]
    ):
        super().__init__()
        self._refusal, self._tick = refusal, tick

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Tells how far it is."""
        self._tick(self.params["made"])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stops it where it cannot matter any more."""
        # history.csv has this epoch's line by now.
        if self._refusal() is not None:
            self.model.stop_training = True
