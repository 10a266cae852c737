"""What people see of a training: a bar, and a line for each epoch."""

from typing import Self

import keras

from reptile_tf.training.score import Score
from reptile_tf.utils.bars import Bar


class Progress(keras.callbacks.Callback):
    """Shows how far a training is, its loss, and one score, by its mode.

    The other modes' scores are in the logs, which Keras's `CSVLogger` and
    `TensorBoard` write. As a context it ends its bar with the block, also where
    the training does not come to its end.

    Args:
        bar: whether to show a bar, or more lines than one an epoch.
    """

    def __init__(self, bar: bool):
        super().__init__()
        self._show_bar = bar
        self._score = ""
        self._bar: Bar | None = None

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

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Shows the iterations that were made before."""
        total, made = self.params["iterations"], self.params["made"]
        self._bar = Bar(total, "iteration", self._show_bar, initial=made)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Moves the bar."""
        if self._bar is not None:
            loss = (logs or {})["loss"]
            self._bar.show(self.params["made"], f"loss {loss:.4f}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Prints the epoch's line."""
        logs = logs or {}
        made, total = self.params["made"], self.params["iterations"]
        line = f"{made:,} of {total:,}: loss {logs['loss']:.4f}"
        if skipped := logs.get("skipped_tasks"):
            line += f", {skipped:,} tasks skipped"
        if self._bar is not None:
            self._bar.say(f"{line}{self._score}", timed=True)
        self._score = ""
