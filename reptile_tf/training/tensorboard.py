"""TensorBoard's logs of a training, by its outer iterations."""

from typing import Any

import keras

from reptile_tf.training.epochs import is_whole


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's, whose every step is the number of outer iterations made.

    Keras's own counts epochs, and batches from the last call of `fit` on, so
    that a training that was resumed has two values at a step. An epoch that was
    stopped is written when it is whole.

    >>> import reptile_tf as rt
    >>> callbacks = [rt.TensorBoard("logs")]  # for `MetaLearner.fit`

    Args:
        log_dir: the folder of the logs.
        **settings: of `keras.callbacks.TensorBoard`; the graph of the model is
            left out if nothing else is said.
    """

    def __init__(self, log_dir: Any = "logs", **settings: Any):
        super().__init__(log_dir, **({"write_graph": False} | settings))

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Goes on counting where the training was."""
        super().on_train_begin(logs)
        self._global_train_batch = self.params["made"]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Writes the logs of an epoch that is whole."""
        if is_whole(self.params, self.params["made"]):
            super().on_epoch_end(epoch, logs)

    # Keras's, which are given the epoch as a step. How often they are called
    # follows from the epoch, too, which therefore stays what it is above.
    def _log_epoch_metrics(self, epoch: int, logs: dict | None) -> None:
        super()._log_epoch_metrics(self.params["made"], logs)

    def _log_weights(self, epoch: int) -> None:
        super()._log_weights(self.params["made"])
