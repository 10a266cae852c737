"""What people see of a training: a bar, and a line for each epoch."""

from typing import Self

import keras

from reptile_tf.training.score import Score
from reptile_tf.utils.bars import Bar


class Progress(keras.callbacks.Callback):
    """Shows how far a training is, its loss, and one score, by its mode.

    The other modes' scores are in the logs, which Keras's `CSVLogger` and
    `TensorBoard` write. As a context it ends its bar with the block, also where
    an epoch does not come to its end.

    Args:
        outer_iterations: of the whole training.
        bar: whether to show a bar within an epoch.
    """

    def __init__(self, outer_iterations: int, bar: bool):
        super().__init__()
        self._total, self._show_bar = outer_iterations, bar
        self._score = ""
        self._bar: Bar | None = None
        self._made = self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def validated(self, scores: list[Score], prefix: str) -> None:
        """Takes the scores of the epoch that is about to end.

        Args:
            scores: one for each mode.
            prefix: of their names in the logs; said if it is not "val".
        """
        # The last mode is the one that every model has.
        said = "" if prefix == "val" else f"{prefix} "
        self._score = f", {said}{scores[-1].short()}" if scores else ""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the epoch's bar."""
        self._made = epoch * self.params["steps"]
        left = min(self.params["steps"], self._total - self._made)
        self._seen = 0
        self._bar = Bar(left, "iteration", self._show_bar)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Moves the bar."""
        self._seen = batch + 1
        if self._bar is not None:
            self._bar.show(self._seen, f"loss {(logs or {})['loss']:.4f}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Ends the bar and prints the epoch's line."""
        logs = logs or {}
        if self._bar is not None:
            self._bar.close()
        made = self._made + self._seen
        line = f"{made:,} of {self._total:,}: loss {logs['loss']:.4f}"
        if skipped := logs.get("skipped_tasks"):
            line += f", {skipped:,} tasks skipped"
        print(f"{line}{self._score}", flush=True)
        self._score = ""
