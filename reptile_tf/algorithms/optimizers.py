"""Inner optimizers: pure updates of weights.

An inner optimizer is anything with these two functions of tensors:

    init(weights) -> state
    update(gradient, state, weights) -> weights, state

`init` gets the weights as one vector. Its state is any structure of tensors
(a tensor, a tuple, a `NamedTuple`, ...); what is shaped like the weights in it
is taken for a moment of them. `update` gets gradient, weights and moments
alike cut into lists of tensors, so it uses `tf.nest.map_structure`. A momentum
is all there is to write:

    @dataclasses.dataclass(frozen=True)
    class Momentum:
        learning_rate: float
        decay: float = 0.9

        def init(self, weights):
            return tf.zeros_like(weights)

        def update(self, gradient, velocity, weights):
            velocity = tf.nest.map_structure(
                lambda v, g: self.decay * v + g, velocity, gradient
            )
            weights = tf.nest.map_structure(
                lambda w, v: w - self.learning_rate * v, weights, velocity
            )
            return weights, velocity

Where a meta-batch is trained on in parallel, the state that is carried on is
the mean of the tasks' states; whole numbers in it are rounded down.

Nothing is overwritten: a caller that keeps the state it gets back carries it
on (training), one that drops it has restored it (evaluation). Keras's own
optimizers keep their state in variables, which cannot be differentiated
through or held apart for tasks that run side by side.

A learner whose optimizer is a dataclass, or has `get_config`, can be saved. To
load it, name the class in `custom_objects`, or, where it has `get_config`,
register it with `keras.saving.register_keras_serializable`.
"""

import dataclasses
from typing import Any, NamedTuple, Protocol, runtime_checkable

import tensorflow as tf

from reptile_tf.utils.fields import make_plain
from reptile_tf.utils.precision import wide
from reptile_tf.utils.validation import require_positive


@runtime_checkable
class InnerOptimizer(Protocol):
    """What every inner optimizer has.

    >>> import reptile_tf as rt
    >>> isinstance(rt.SGD(0.1), rt.InnerOptimizer)
    True
    """

    def init(self, weights: tf.Tensor) -> Any:
        """Returns the state before the first step.

        Args:
            weights: the weight vector.
        """

    def update(self, gradient: Any, state: Any, weights: Any) -> tuple:
        """Returns the weights and the state after one step.

        Args:
            gradient: of the loss, structured like `weights`.
            state: as the step before returned it.
            weights: a list of tensors, of any shapes.
        """


@dataclasses.dataclass(frozen=True)
class SGD:
    """Plain gradient descent, W <- W - alpha g; its state is empty.

    >>> import reptile_tf as rt
    >>> weights, state = rt.SGD(0.5).update([2.0], (), [3.0])
    >>> weights
    [2.0]

    Attributes:
        learning_rate: alpha, above 0.
    """

    learning_rate: float

    def __post_init__(self):
        make_plain(self)
        require_positive(learning_rate=self.learning_rate)

    def init(self, weights: tf.Tensor) -> tuple:
        """Returns the state before the first step."""
        del weights
        return ()

    def update(self, gradient: Any, state: Any, weights: Any) -> tuple:
        """Returns the weights and state after one step."""
        weights = tf.nest.map_structure(
            lambda w, g: w - self.learning_rate * g, weights, gradient
        )
        return weights, state


class AdamState(NamedTuple):
    """What Adam remembers between steps.

    The moments of weights of 16 bits have 32, in which epsilon is not 0.

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

    >>> import tensorflow as tf
    >>> import reptile_tf as rt
    >>> adam, weights = rt.Adam(0.5), tf.constant([3.0])
    >>> state, gradient = adam.init(weights), tf.constant([2.0])
    >>> weights, state = adam.update(gradient, state, weights)
    >>> round(float(weights[0]), 3), int(state.step)  # a step of alpha
    (2.5, 1)

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
        make_plain(self)
        require_positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        for name in ("beta_1", "beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be in [0, 1); received {getattr(self, name)}"
                )

    def init(self, weights: tf.Tensor) -> AdamState:
        """Returns the state before the first step: zero moments."""
        second = tf.zeros_like(weights, wide(weights.dtype))
        return AdamState(
            tf.zeros([], tf.int64),
            second,
            second if self.beta_1 else second[:0],
        )

    def update(self, gradient: Any, state: Any, weights: Any) -> tuple:
        """Returns the weights and state after one step."""
        step = state.step + 1
        dtype = tf.nest.flatten(state.second)[0].dtype
        gradient = tf.nest.map_structure(lambda g: tf.cast(g, dtype), gradient)
        t = tf.cast(step, dtype)
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
            lambda w, m, v: tf.cast(
                tf.cast(w, dtype) - alpha * m / (tf.sqrt(v) + self.epsilon),
                w.dtype,
            ),
            weights,
            mean,
            second,
        )
        return weights, AdamState(step, second, first)


INNER_OPTIMIZERS: dict[str, type] = {"sgd": SGD, "adam": Adam}
