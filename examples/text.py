"""Learns to tell topics of short texts apart from five texts of each.

A text is a row of token ids, which an embedding and an LSTM read. The texts
are made up: four words of a hundred are a topic's own, and half of its words.
"""

import keras
import numpy as np

import reptile_tf as rt

rng = np.random.default_rng(0)
topics = np.arange(40).repeat(20)  # 40 topics, 20 texts each
words, own = rng.integers(100, size=[800, 10]), rng.integers(100, size=[40, 4])
words[:, ::2] = own[topics[:, None], rng.integers(4, size=[800, 5])]
texts = rt.LabelledExamples.from_labels(words, topics)
train, new = texts.split(30, seed=0)  # topics to learn from, and new ones

inputs = keras.Input([10], dtype="int32")
states = keras.layers.LSTM(32)(keras.layers.Embedding(100, 16)(inputs))
learner = rt.MetaLearner(
    keras.Model(inputs, keras.layers.Dense(3)(states)),
    inner_optimizer=rt.Adam(0.01),
)
learner.fit(rt.Episodes(train, ways=3, shots=5), outer_iterations=50)
tests = rt.Episodes(new, ways=3, shots=5)
print(*learner.evaluate(tests, num_tasks=50, steps=20))
