"""The meta-optimizer: what moves phi, given the mean meta-gradient."""

from typing import Any

import keras

from reptile_tf.utils.validation import require_positive

META_OPTIMIZERS = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}


def linear_decay(
    step_size: float,
    iterations: int,
    optimizer: type[keras.optimizers.Optimizer] = keras.optimizers.SGD,
    **settings: Any,
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
    require_positive(step_size=step_size, iterations=iterations)
    schedule = keras.optimizers.schedules.PolynomialDecay(
        step_size, iterations, 0.0
    )
    return optimizer(schedule, **settings)
