"""Outer iterations as Keras's callbacks see them: batches of epochs."""

import collections
import contextlib
from collections.abc import Callable, Iterator, Sequence

import keras


def train(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    iterations: range,
    per_epoch: int,
    iterate: Callable[[], dict],
    validate: Callable[[], dict],
    callbacks: Sequence[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Calls `iterate` for every iteration, and the callbacks around it.

    Args:
        model: what callbacks get as their model; they may set its
            `stop_training`.
        optimizer: what they find as the model's optimizer.
        iterations: those still to be made; an epoch may have been begun.
        per_epoch: iterations of an epoch.
        iterate: makes one iteration; returns its logs. Callbacks get the means
            over the epoch so far, as in Keras's own `fit`; of an epoch begun
            before, over what this call made of it.
        validate: called when an epoch is complete; returns more logs for its
            end.
        callbacks: Keras callbacks.
    """
    told = keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        model=model,
        verbose=0,
        epochs=-(-iterations.stop // per_epoch),
        steps=per_epoch,
    )
    with _callback_model(model, optimizer):
        told.on_train_begin()
        logs = {}
        start = iterations.start
        while start < iterations.stop and not model.stop_training:
            epoch = start // per_epoch
            stop = min((epoch + 1) * per_epoch, iterations.stop)
            told.on_epoch_begin(epoch)
            totals: collections.Counter[str] = collections.Counter()
            for made, iteration in enumerate(range(start, stop), 1):
                step = iteration - epoch * per_epoch
                told.on_train_batch_begin(step)
                totals.update(iterate())
                logs = {name: v / made for name, v in totals.items()}
                told.on_train_batch_end(step, logs)
                if model.stop_training:
                    break
            if iteration + 1 == stop:
                logs |= validate()
            told.on_epoch_end(epoch, logs)
            start = stop
        told.on_train_end(logs)
    return model.history


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
