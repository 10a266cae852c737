"""Section 4.1: what the meta-gradients are to first order in alpha.

With two mini-batches of a task, whose losses are L0 and L1, and one step of
SGD before the last gradient is taken (equations 15 to 17):

    E[g_MAML]    =   AvgGrad - 2 alpha AvgGradInner + O(alpha^2)
    E[g_FOMAML]  =   AvgGrad -   alpha AvgGradInner + O(alpha^2)
    E[g_Reptile] = 2 AvgGrad -   alpha AvgGradInner + O(alpha^2)

AvgGrad = E[L0'] is the gradient of the expected loss. AvgGradInner =
E[L1'' L0'] is the gradient of half the inner product of L0' and L1': going
against it makes the mini-batches of a task agree.

Tasks are sine waves, the network is tanh in float64, and every expectation is
over the same tasks and both orders of their mini-batches: then AvgGrad and
AvgGradInner are the same numbers in all of them, and what remains is of order
alpha^2 whatever the number of tasks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from reptile_tf.algorithms import (
    FOMAML,
    MAML,
    Algorithm,
    InnerLoop,
    Reptile,
    mini_batches,
)
from reptile_tf.algorithms.losses import example_losses
from reptile_tf.algorithms.optimizers import SGD
from reptile_tf.data.sine import SineWaves
from reptile_tf.data.task import Task
from reptile_tf.models.functional import FunctionalModel

# Factors of AvgGrad and of alpha AvgGradInner: equations 16, 17 and 15.
COEFFICIENTS = {"maml": (1, -2), "fomaml": (1, -1), "reptile": (2, -1)}

_BATCH = 10  # examples of a mini-batch


class Expansion(NamedTuple):
    """One expected meta-gradient, measured.

    Attributes:
        algorithm: "maml", "fomaml" or "reptile".
        alpha: the inner step size.
        coefficients: those of AvgGrad and alpha AvgGradInner which come
            nearest to it (least squares).
        remainder: norm of what the paper's coefficients leave of it.
    """

    algorithm: str
    alpha: float
    coefficients: tuple[float, float]
    remainder: float


def measure(
    alphas: Sequence[float], num_tasks: int, seed: int = 0
) -> list[Expansion]:
    """Measures the three meta-gradients at phi for each step size.

    Args:
        alphas: step sizes, above 0.
        num_tasks: the number of sine waves that expectations are over, at
            least 1.
        seed: of phi and of the waves.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((1,), dtype="float64"),
            layers.Dense(16, "tanh", dtype="float64"),
            layers.Dense(16, "tanh", dtype="float64"),
            layers.Dense(1, dtype="float64"),
        ]
    )
    model = FunctionalModel(network)
    waves = SineWaves(2 * _BATCH, seed)
    pairs = [_mini_batches(waves, index) for index in range(num_tasks)]
    pairs += [(second, first, key) for first, second, key in pairs]
    phi = model.phi()
    average, inner = _mean(_terms(_loop(model, 1.0)), phi, pairs)
    found = []
    for alpha in alphas:
        loop = _loop(model, float(alpha))
        for each in (MAML(), FOMAML(), Reptile()):
            expected = _mean(_gradient(loop, each), phi, pairs)
            basis = np.stack([average, alpha * inner], 1)
            nearest, *_ = np.linalg.lstsq(basis, expected)
            left = expected - basis @ COEFFICIENTS[str(each)]
            found.append(
                Expansion(
                    str(each),
                    float(alpha),
                    tuple(nearest.tolist()),
                    np.linalg.norm(left).item(),
                )
            )
    return found


def slopes(expansions: list[Expansion]) -> list[float]:
    """Returns how fast one meta-gradient's remainder falls: 2 is alpha^2.

    Args:
        expansions: of one meta-gradient, for several step sizes.

    Returns:
        Slopes between neighbours, both axes logarithmic.
    """
    alphas = np.log([e.alpha for e in expansions])
    return (
        np.diff(np.log([e.remainder for e in expansions])) / np.diff(alphas)
    ).tolist()


def _loop(model, alpha: float) -> InnerLoop:
    loss = example_losses(keras.losses.MeanSquaredError(dtype="float64"))
    return InnerLoop(model, loss, "mean", SGD(alpha), 1, _BATCH)


def _mini_batches(waves, index: int):
    """Returns two mini-batches (x, y) of task `index`, and its key."""
    task = waves.sample(tf.constant(index, tf.int64))
    x, y = (tf.cast(t, tf.float64) for t in task[:2])
    return (x[:_BATCH], y[:_BATCH]), (x[_BATCH:], y[_BATCH:]), task.key


def _mean(function, phi, pairs):
    """Returns the mean of `function` over pairs of mini-batches."""
    compiled = tf.function(function, autograph=False)
    return np.mean([compiled(phi, *pair) for pair in pairs], 0)


def _terms(loop):
    """Returns the function whose means are AvgGrad and AvgGradInner."""

    def terms(phi, first, second, key):
        def gradient(batch):
            with tf.GradientTape() as tape:
                tape.watch(phi)
                loss, _ = loop.objective(loop.model.cut(phi), *batch, key)
            return tape.gradient(loss, phi)

        direction = gradient(first)
        with tf.GradientTape() as tape:
            tape.watch(phi)
            product = tf.tensordot(gradient(second), direction, 1)
        # The direction was made outside of the tape, so is a constant to it.
        return tf.stack([direction, tape.gradient(product, phi)])

    return terms


def _gradient(loop, algorithm: Algorithm):
    """Returns the function whose mean is E[g]."""

    def gradient(phi, first, second, key):
        if algorithm.needs_query:
            task, steps = Task(*first, *second, key), 1
        else:  # two steps, of which the first must be on `first`
            steps = 2
            order = mini_batches(key, 2 * _BATCH, steps, _BATCH)
            place = tf.argsort(tf.reshape(order, [-1]))
            x, y = (
                tf.gather(tf.concat(pair, 0), place)
                for pair in zip(first, second, strict=True)
            )
            task = Task(x, y, x[:0], y[:0], key)
        lesson = algorithm(loop._replace(steps=steps), phi, (), task)
        return lesson.meta_gradient / loop.optimizer.learning_rate

    return gradient
