"""The history of a run as a file, one line for each epoch."""

import keras


class EpochLog(keras.callbacks.CSVLogger):
    """Keras's, without an empty second column where none begins with val_."""

    keys: list[str] | None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes a line."""
        self.keys = self.keys or sorted(logs or {})
        super().on_epoch_end(epoch, logs)
