"""Inner optimizers: pure updates of weights.

An optimizer is a frozen dataclass with functions of tensors, where weights are
a vector or the list of parts that it was cut into:

    init(weights) -> state
    update(gradient, state, weights) -> weights, state
    map_moments(cut, state) -> state of which each moment is cut

Nothing is overwritten: a caller that keeps the state it gets back carries it
on (training), one that drops it has restored it (evaluation). Keras's own
optimizers keep their state in variables, which cannot be differentiated
through or held apart for tasks that run side by side.
"""

import dataclasses
from typing import NamedTuple

import keras
import tensorflow as tf


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0; received {value}")


@dataclasses.dataclass(frozen=True)
class SGD:
    """Plain gradient descent, W <- W - alpha g; its state is empty.

    Attributes:
        learning_rate: alpha, above 0.
    """

    learning_rate: float

    def __post_init__(self):
        _require_positive(learning_rate=self.learning_rate)

    def init(self, weights: tf.Tensor) -> tuple:
        """Returns the state before the first step."""
        del weights
        return ()

    def update(self, gradient, state, weights):
        """Returns the weights and state after one step."""
        weights = tf.nest.map_structure(
            lambda w, g: w - self.learning_rate * g, weights, gradient
        )
        return weights, state

    def map_moments(self, function, state):
        """Returns the state with `function` applied to each moment: to none."""
        del function
        return state


class AdamState(NamedTuple):
    """What Adam remembers between steps.

    Attributes:
        step: t, the number of steps made, int64 scalar.
        second: v, running mean of the squared gradient, shaped as the weights.
        first: m, running mean of the gradient; shape `[0]` where beta_1 = 0,
            which makes it the gradient itself.
    """

    step: tf.Tensor
    second: tf.Tensor
    first: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam, by default with beta_1 = 0 as in all the paper's experiments.

    Attributes:
        learning_rate: alpha, above 0.
        beta_1: decay of the first moment, in [0, 1).
        beta_2: decay of the second moment, in [0, 1).
        epsilon: added to the root of the second moment, above 0. As in Keras
            it is the "epsilon hat" of the Adam paper, added before the bias
            correction.

    Reference: Kingma and Ba, Adam, the efficient order of section 2.
    """

    learning_rate: float
    beta_1: float = 0.0
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        _require_positive(
            learning_rate=self.learning_rate, epsilon=self.epsilon
        )
        for name in ("beta_1", "beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be in [0, 1); received {getattr(self, name)}"
                )

    def init(self, weights: tf.Tensor) -> AdamState:
        """Returns the state before the first step: zero moments."""
        second = tf.zeros_like(weights)
        return AdamState(
            tf.zeros([], tf.int64),
            second,
            second if self.beta_1 else second[:0],
        )

    def update(self, gradient, state, weights):
        """Returns the weights and state after one step."""
        step = state.step + 1
        t = tf.cast(step, tf.nest.flatten(weights)[0].dtype)
        alpha = self.learning_rate * tf.sqrt(1 - self.beta_2**t)
        alpha /= 1 - self.beta_1**t
        first, mean = state.first, gradient
        if self.beta_1:
            first = mean = tf.nest.map_structure(
                lambda m, g: m + (1 - self.beta_1) * (g - m), first, gradient
            )
        second = tf.nest.map_structure(
            lambda v, g: v + (1 - self.beta_2) * (g * g - v),
            state.second,
            gradient,
        )
        weights = tf.nest.map_structure(
            lambda w, m, v: w - alpha * m / (tf.sqrt(v) + self.epsilon),
            weights,
            mean,
            second,
        )
        return weights, AdamState(step, second, first)

    def map_moments(self, function, state):
        """Returns the state with `function` applied to each moment."""
        first = function(state.first) if self.beta_1 else state.first
        return AdamState(state.step, function(state.second), first)


InnerOptimizer = SGD | Adam
INNER_OPTIMIZERS = {"sgd": SGD, "adam": Adam}


META_OPTIMIZERS = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}


def linear_decay(
    step_size: float,
    iterations: int,
    optimizer=keras.optimizers.SGD,
    **settings,
) -> keras.optimizers.Optimizer:
    """Returns a meta-optimizer whose step falls to 0 along a line.

    With SGD it is the paper's outer step, phi <- phi - eps_i (phi - mean(W~)),
    eps_i = eps (1 - i / N).

    Args:
        step_size: eps, above 0.
        iterations: N, outer iterations, at least 1.
        optimizer: class of the optimizer.
        **settings: of the optimizer, such as `global_clipnorm`.
    """
    _require_positive(step_size=step_size, iterations=iterations)
    schedule = keras.optimizers.schedules.PolynomialDecay(
        step_size, iterations, 0.0
    )
    return optimizer(schedule, **settings)
