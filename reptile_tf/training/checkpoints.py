"""Checkpoints of a training: at intervals, on a signal, and back from them."""

import contextlib
import logging
import os
import pathlib
import signal
from typing import Any

import keras

from reptile_tf.training.epochs import Stopped, is_whole
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.saving import DamagedFileError, require_saveable
from reptile_tf.utils import signals
from reptile_tf.utils.paths import local
from reptile_tf.utils.validation import require_at_least

# Python's own: absl's would give the process's root logger a handler.
_LOG = logging.getLogger(__name__)
_PATTERN = "iteration-*.zip"


class Checkpoint(keras.callbacks.Callback):
    """Saves the learner every so many iterations, and at the end.

    >>> import os, tempfile
    >>> import reptile_tf as rt
    >>> learner = rt.MetaLearner(
    ...     rt.models.sine_mlp(), loss="mean_squared_error", metric="mse"
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = rt.Checkpoint(learner, folder, every=2)
    ...     history = learner.fit(
    ...         rt.SineWaves(10), 3, callbacks=[checkpoint], verbose=0
    ...     )
    ...     sorted(os.listdir(folder))
    ['iteration-00000002.zip', 'iteration-00000003.zip']

    As a context it also minds signals: on SIGINT, SIGTERM and SIGHUP the
    iteration under way is finished, the learner saved and the training stopped.
    An evaluation under way is given up at once; a training that goes on makes
    it again, after one iteration. A second signal ends all at once, and nothing
    more is saved. Signals that the process ignores, as under nohup, stay
    ignored, and so do all outside of the main thread.

        with Checkpoint(learner, "checkpoints") as checkpoint:
            learner.fit(tasks, 1000, callbacks=[checkpoint])

    Args:
        learner: the `MetaLearner` whose `fit` is given this callback.
        folder: where the files `iteration-<number>.zip` go.
        every: outer iterations between two checkpoints, at least 1.
        keep: how many of the newest are kept, at least 2, so that there is one
            more if the newest is damaged.
        saves: whether it saves; one of several processes alone should. The
            others mind signals.

    Raises:
        ValueError: the learner has a part that cannot be saved.

    Attributes:
        signal: number of the signal that stopped the training, else None.
    """

    def __init__(
        self,
        learner: MetaLearner,
        folder: str | os.PathLike,
        every: int = 500,
        keep: int = 3,
        saves: bool = True,
    ):
        super().__init__()
        require_at_least(1, every=every)
        require_at_least(2, keep=keep)
        require_saveable(learner)  # not at the first checkpoint, hours on
        self._learner = learner
        self._folder = local("folder", folder)
        self._every, self._keep, self._saves = every, keep, saves
        self._saved = None
        self._signals = contextlib.ExitStack()
        self._evaluating = False
        self.signal: int | None = None

    def __enter__(self):
        self.signal = None
        self._signals.enter_context(signals.handled(self._note))
        return self

    def __exit__(self, *_):
        self._signals.close()

    def _note(self, number: int, frame: Any) -> None:
        del frame
        again, self.signal = self.signal is not None, number
        if again:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            raise SystemExit(128 + number)
        if self._evaluating and self._alone():
            raise Stopped

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Forgets an evaluation that ended in an error."""
        self._evaluating = False

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Saves when it is time, or a signal came."""
        iteration = self._learner.iteration
        if self.signal is not None:
            self.model.stop_training = True
        # An epoch's last iteration is saved with what its end brings, or a
        # resume would leave out its evaluation and its line of the history.
        if not self._ends_epoch(iteration):
            self._save_if_due()

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Begins no evaluation if a signal came before."""
        self._evaluating = True
        if self.signal is not None and self._alone():
            raise Stopped

    def on_test_end(self, logs: dict | None = None) -> None:
        """Minds signals as before."""
        self._evaluating = False

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Saves when it is time, or a signal came."""
        if self.signal is not None:
            self.model.stop_training = True
        self._save_if_due()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Saves the last iteration, unless its evaluation was given up."""
        if not self._evaluating:
            self._save()

    def _alone(self) -> bool:
        """Says whether no other process waits for this one's share."""
        return (self.params or {}).get("workers", 1) == 1

    def _ends_epoch(self, iteration: int) -> bool:
        """Says whether an iteration is an epoch's last, or the training's."""
        return is_whole(self.params, iteration)

    def _save_if_due(self):
        iteration = self._learner.iteration
        if (
            self.signal is not None
            # An evaluation comes next, and a signal may end it.
            or self._ends_epoch(iteration + 1)
            or not iteration % self._every
        ):
            self._save()

    def _save(self):
        iteration = self._learner.iteration
        if iteration == self._saved or not self._saves:
            return
        self._learner.save(self._folder / f"iteration-{iteration:08d}.zip")
        self._saved = iteration
        for old in _saved(self._folder)[: -self._keep]:
            old.unlink()


def newest_iteration(folder: str | os.PathLike) -> int:
    """Returns the outer iterations of the newest checkpoint; 0 without one.

    Args:
        folder: that a `Checkpoint` wrote to.
    """
    paths = _saved(folder)
    return int(paths[-1].stem.partition("-")[2]) if paths else 0


def newest(
    folder: str | os.PathLike, custom_objects: dict[str, Any] | None = None
) -> MetaLearner | None:
    """Returns the learner of the newest whole checkpoint, None without one.

    A damaged checkpoint is reported, and the one before it is used.

    Args:
        folder: that a `Checkpoint` wrote to.
        custom_objects: as of `keras.saving.load_model`.

    Raises:
        DamagedFileError: there are checkpoints, and all are damaged.
    """
    paths = _saved(folder)
    for path in reversed(paths):
        try:
            return MetaLearner.load(path, custom_objects)
        except DamagedFileError as error:
            _LOG.error("%s; the one before it is tried", error)
    if paths:
        raise DamagedFileError(
            f"all {len(paths)} checkpoints in {folder} are damaged; remove "
            "them to start again"
        )
    return None


def _saved(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the checkpoints in a folder, the newest last."""
    paths = sorted(local("folder", folder).glob(_PATTERN))
    # What is named otherwise is somebody else's.
    return [p for p in paths if p.stem.partition("-")[2].isdecimal()]
