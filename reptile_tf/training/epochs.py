"""Outer iterations as Keras's callbacks see them: batches of epochs."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from reptile_tf.training.distribution import Distribution
from reptile_tf.training.epoch_logs import EpochLogs
from reptile_tf.utils import backend


class Stopped(BaseException):
    """A callback stops an evaluation of `fit`, and so the training."""


def callback_list(
    callbacks: Any, model: keras.Model, **params: Any
) -> keras.callbacks.CallbackList:
    """Returns callbacks as one.

    Args:
        callbacks: Keras callbacks, one of them, None, or a `CallbackList`,
            which is returned as it is.
        model: what they get as their model.
        **params: what they get as their `params`.

    Raises:
        ValueError: a callback is one of Keras 2.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    backend.require_keras_3(callbacks=callbacks)
    return keras.callbacks.CallbackList(callbacks, model=model, **params)


def is_whole(params: Mapping[str, int], made: int) -> bool:
    """Says whether an epoch, or the training, ends after so many iterations.

    Args:
        params: of a callback.
        made: the iterations.
    """
    return made == params["iterations"] or not made % params["steps"]


def train(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    iterations: range,
    per_epoch: int,
    iterate: Callable[[], dict],
    logs_so_far: EpochLogs,
    validate: Callable[[keras.callbacks.CallbackList], dict],
    callbacks: Any,
    distribution: Distribution = Distribution(),
) -> keras.callbacks.History:
    """Calls `iterate` for every iteration, and the callbacks around it.

    Args:
        model: what callbacks get as their model; they may set its
            `stop_training`.
        optimizer: what they find as the model's optimizer.
        iterations: those still to be made; an epoch may have been begun.
        per_epoch: iterations of an epoch.
        iterate: makes one iteration; returns its logs. Callbacks get the means
            over the epoch so far, as in Keras's own `fit`.
        logs_so_far: of an epoch begun before, which is gone on with.
        validate: called when an epoch is complete, with the callbacks to tell;
            returns more logs for its end.
        callbacks: Keras callbacks, in a structure. Their `params` also have
            `made`, the iterations made by now, `iterations`, how many it will
            be in all, and `workers`, the number of processes.
        distribution: the processes, which stop all where one of them stops.

    Raises:
        ValueError: a callback would write phi, and nothing else of a learner.
    """
    callbacks = keras.tree.flatten(callbacks)
    for callback in callbacks:
        _require_known_to_fit(callback)
    told = callback_list(
        callbacks,
        model,
        add_history=True,
        verbose=0,
        epochs=-(-iterations.stop // per_epoch),
        steps=per_epoch,
        made=iterations.start,
        iterations=iterations.stop,
        workers=distribution.workers,
    )

    def stops() -> bool:
        model.stop_training = bool(distribution.largest(model.stop_training))
        return model.stop_training

    with _callback_model(model, optimizer):
        told.on_train_begin()
        logs: dict[str, float] = {}
        start = iterations.start
        while start < iterations.stop and not stops():
            epoch = start // per_epoch
            stop = min((epoch + 1) * per_epoch, iterations.stop)
            logs_so_far.begin(epoch * per_epoch, start)
            told.on_epoch_begin(epoch)
            for iteration in range(start, stop):
                step = iteration - epoch * per_epoch
                told.on_train_batch_begin(step)
                logs = logs_so_far.with_more(iterate())
                told.params["made"] = iteration + 1
                told.on_train_batch_end(step, logs)
                if stops():
                    break
            if iteration + 1 == iterations.stop:
                # As Keras's fit does: an average of phi, if one is kept.
                optimizer.finalize_variable_values(model.trainable_variables)
            if iteration + 1 == stop:
                try:
                    logs = logs | validate(told)
                except Stopped:
                    break
            if stop == (epoch + 1) * per_epoch == iteration + 1:
                logs_so_far.begin(stop, stop)
            told.on_epoch_end(epoch, logs)
            start = stop
        told.on_train_end(logs)
    return model.history


def _require_known_to_fit(callback: keras.callbacks.Callback) -> None:
    """Refuses callbacks that write phi and leave what belongs to it."""
    known = keras.callbacks
    remedy = ""
    if isinstance(callback, known.BackupAndRestore):
        remedy = "use reptile_tf.Checkpoint, and MetaLearner.load"
    elif isinstance(callback, known.EarlyStopping):
        if callback.restore_best_weights:
            remedy = (
                "use restore_best_weights=False, and a keras.callbacks."
                "ModelCheckpoint with save_best_only=True, which keeps the "
                "model phi of the best epoch"
            )
    elif isinstance(callback, known.SwapEMAWeights):
        remedy = (
            "use a meta_optimizer with use_ema=True alone, whose average "
            "becomes phi at the end of fit"
        )
    if remedy:
        raise ValueError(
            f"callbacks: {type(callback).__name__} puts other weights into the "
            "model, and leaves the optimizers' states and the count of "
            f"iterations as they are; {remedy}"
        )


@contextlib.contextmanager
def _callback_model(
    model: keras.Model, optimizer: keras.optimizers.Optimizer
) -> Iterator[None]:
    """Gives the model what callbacks look for in a model that trains."""
    ours = {
        "stop_training": False,
        "optimizer": optimizer,
        "train_function": None,
    }
    theirs = {n: getattr(model, n) for n in ours if hasattr(model, n)}
    for name, value in ours.items():
        setattr(model, name, value)
    try:
        yield
    finally:
        for name in ours:
            if name in theirs:
                setattr(model, name, theirs[name])
            else:
                delattr(model, name)
