"""Learns to fit sine waves, which a NumPy function makes.

A task is one wave: ten points to learn from, and fifty to be asked about. It
prints the squared error on new waves before and after meta-training.
"""

import numpy as np

import reptile_tf as rt


def wave(index):
    """Returns the arrays of task number `index`."""
    rng = np.random.default_rng(index)  # always the same task
    size, shift = rng.uniform([0.1, 0], [5, 2 * np.pi])
    x, query_x = rng.uniform(-5, 5, [10, 1]), np.linspace(-5, 5, 50)[:, None]
    return x, size * np.sin(x + shift), query_x, size * np.sin(query_x + shift)


learner = rt.MetaLearner(
    rt.models.sine_mlp(),
    inner_optimizer=rt.Adam(0.01),
    loss="mean_squared_error",
    metric="mean_squared_error",
)
new_waves = rt.tasks_from_function(lambda index: wave(1_000_000 + index))
print(*learner.evaluate(new_waves, num_tasks=100))
learner.fit(rt.tasks_from_function(wave), outer_iterations=300)
print(*learner.evaluate(new_waves, num_tasks=100))
