"""What people see of a training: a bar, and a line for each epoch."""

from typing import Any

import keras

from reptile_tf.training.score import Score


class Progress(keras.callbacks.Callback):
    """Shows how far a training is, its loss, and one score, by its mode.

    The other modes' scores are in the logs, which Keras's `CSVLogger` and
    `TensorBoard` write.

    Args:
        outer_iterations: of the whole training.
        bar: whether to show a bar within an epoch.
    """

    def __init__(self, outer_iterations: int, bar: bool):
        super().__init__()
        self._total, self._show_bar = outer_iterations, bar
        self._score = ""
        self._bar: Any = None
        self._made = self._seen = 0

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
        self._bar = keras.utils.Progbar(
            left,
            verbose=int(self._show_bar),
            # The logs' loss is the mean over the epoch already.
            stateful_metrics=["loss"],
            unit_name="iteration",
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Moves the bar."""
        self._seen = batch + 1
        self._bar.update(self._seen, [("loss", (logs or {})["loss"])])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Ends the bar and prints the epoch's line."""
        logs = logs or {}
        if self._show_bar and self._seen < self._bar.target:
            print()  # the bar of an epoch that was stopped is still open
        made = self._made + self._seen
        line = f"{made:,} of {self._total:,}: loss {logs['loss']:.4f}"
        print(f"{line}{self._score}", flush=True)
        self._score = ""
