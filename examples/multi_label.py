"""Learns to give several labels at once, each of them yes or no.

A task has three labels; each of them is a rule of its own about four numbers.
The accuracy is that of single labels, of which guessing gets half right.
"""

import keras
import numpy as np

import reptile_tf as rt


def three_rules(index):
    """Returns the arrays of task number `index`."""
    rng = np.random.default_rng(index)  # always the same task
    x, rules = rng.normal(size=[60, 4]), rng.normal(size=[4, 3])
    y = x @ rules > 0  # learners take yes and no for 1.0 and 0.0
    return x[:20], y[:20], x[20:], y[20:]


learner = rt.MetaLearner(
    rt.models.sine_mlp(outputs=3, input_shape=[4]),
    inner_optimizer=rt.Adam(0.01),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metric=keras.metrics.BinaryAccuracy(threshold=0),  # of logits
)
new_tasks = rt.tasks_from_function(lambda index: three_rules(10**6 + index))
learner.fit(rt.tasks_from_function(three_rules), outer_iterations=100)
print(*learner.evaluate(new_tasks, num_tasks=100))
