"""Learns to tell kinds of wine apart from five bottles of each.

Rows of a table are floats, and their labels strings. The wines are made up: a
bottle has eight numbers, two of which are nearly the same for all of its kind.
"""

import keras
import numpy as np

import reptile_tf as rt

rng = np.random.default_rng(0)
kinds = [f"wine {i // 20}" for i in range(1600)]  # 80 kinds, 20 bottles each
rows = rng.normal(size=[1600, 8])
rows[:, :2] = rng.normal(size=[80, 2]).repeat(20, 0) + 0.2 * rows[:, :2]
wines = rt.LabelledExamples.from_labels(rows, kinds)
train, new = wines.split(60, seed=0)  # kinds to learn from, and new ones

layers = [keras.layers.Dense(64, "relu"), keras.layers.Dense(5)]
learner = rt.MetaLearner(
    keras.Sequential([keras.Input([8]), *layers]),
    inner_optimizer=rt.Adam(0.01),
)
tests = rt.Episodes(new, ways=5, shots=5)
print(*learner.evaluate(tests, num_tasks=100))
learner.fit(rt.Episodes(train, ways=5, shots=5), outer_iterations=300)
print(*learner.evaluate(tests, num_tasks=100))
