"""The inner loop: k compiled steps on one task, as a pure function."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from reptile_tf.algorithms.optimizers import InnerOptimizer
from reptile_tf.data import task as tasks
from reptile_tf.models.functional import FunctionalModel

REDUCTIONS = {"sum": tf.reduce_sum, "mean": tf.reduce_mean}


class InnerLoop(NamedTuple):
    """What every inner step is made of.

    Attributes:
        model: the model as a function of its weights.
        loss: (targets, outputs) -> loss of each example, `[batch]`.
        reduction: "sum" (the paper's) or "mean" of the examples' losses.
        optimizer: the inner optimizer.
        mask: vector that is 1 where weights adapt and 0 where inner steps
            leave them at phi; None if all adapt.
    """

    model: FunctionalModel
    loss: Callable
    reduction: str
    optimizer: InnerOptimizer
    mask: tf.Tensor | None = None

    def objective(self, parts, x, y, key):
        """Returns what an inner step descends, a scalar, and its mean loss.

        Args:
            parts: the weight vector, as `FunctionalModel.cut` cuts it.
            x: inputs `[B, ...]`.
            y: targets `[B, ...]`.
            key: int32 `[2]`, from which dropout and other noise follow.
        """
        outputs, penalty = self.model.in_training(parts, x, key)
        losses = self.loss(y, outputs)
        reduced = REDUCTIONS[self.reduction](losses)
        return reduced + penalty, tf.reduce_mean(losses)


def adapt(loop: InnerLoop, weights, state, x, y, batches, key, first=0):
    """Trains on one task: the paper's W~ = SGD(L_tau, phi, k).

    Weights and optimizer state are tensors, passed in and handed back; no
    variable is written. Meta-training, evaluation and serving are uses of this
    one function.

    Args:
        loop: model, loss and inner optimizer.
        weights: the weight vector to start from; phi in the paper.
        state: the inner optimizer's state to start from.
        x: support inputs `[S, ...]`.
        y: support targets `[S, ...]`.
        batches: int32 `[k, B]`, the rows of x and y that each step trains on.
        key: int32 `[2]`, from which dropout and other noise follow.
        first: number of the first step, where others went before.

    Returns:
        (weights, state, loss): W~, the state after the last step, and the mean
        over the steps of the mean loss of an example, a scalar.
    """
    steps = tf.shape(batches)[0]
    mask = None if loop.mask is None else loop.model.cut(loop.mask)

    def step(i, parts, state, total):
        rows = batches[i]
        with tf.GradientTape() as tape:
            tape.watch(parts)
            loss, mean = loop.objective(
                parts,
                tf.gather(x, rows),
                tf.gather(y, rows),
                tasks.fold_in(key, first + i),
            )
        gradient = tape.gradient(loss, parts, unconnected_gradients="zero")
        # Embeddings' gradients are slices; the optimizers want tensors.
        gradient = [tf.convert_to_tensor(g) for g in gradient]
        if mask is not None:
            gradient = [m * g for m, g in zip(mask, gradient, strict=True)]
        parts, state = loop.optimizer.update(gradient, state, parts)
        return i + 1, parts, state, total + mean

    _, parts, state, total = tf.while_loop(
        lambda i, *_: i < steps,
        step,
        (
            0,
            loop.model.cut(weights),
            loop.optimizer.map_moments(loop.model.cut, state),
            tf.zeros([], weights.dtype),
        ),
        parallel_iterations=1,  # a step needs the one before; saves bookkeeping
    )
    state = loop.optimizer.map_moments(loop.model.join, state)
    return loop.model.join(parts), state, total / tf.cast(steps, total.dtype)


def example_losses(loss) -> Callable:
    """Returns a Keras loss as a function that leaves the examples apart.

    Args:
        loss: name, function or `keras.losses.Loss` instance.
    """
    loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        return loss.call
    return loss
