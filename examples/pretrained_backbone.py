"""Learns new classes from what a pretrained network sees in pictures.

Its features are computed once, and a small head is meta-trained on them. The
head then learns five new classes, and backbone and head are one Keras model.
"""

import keras
import numpy as np

import reptile_tf as rt

rng = np.random.default_rng(0)
patterns = rng.uniform(-1, 1, [40, 1, 4, 4, 3]).repeat(8, 2).repeat(8, 3)
pictures = patterns + 0.3 * rng.normal(size=[40, 10, 32, 32, 3])
size = {"input_shape": (32, 32, 3), "include_top": False, "pooling": "avg"}
# Use weights="imagenet"; these are random, to spare the download.
backbone = keras.applications.MobileNetV2(weights=None, **size)
features = backbone.predict(pictures.reshape(400, 32, 32, 3), verbose=0)
classes = rt.LabelledExamples.from_labels(features, np.arange(400) // 10)
scale = keras.layers.Rescaling(1 / features.std())
head = keras.Sequential([keras.Input([1280]), scale, keras.layers.Dense(5)])
learner = rt.MetaLearner(head, eval_inner_steps=20)
learner.fit(rt.Episodes(classes.subset(range(30)), 5, 5), outer_iterations=100)
tests = rt.Episodes(classes.subset(range(30, 40)), 5, 5)
print(*learner.evaluate(tests, num_tasks=50))
examples = pictures[30:35, :5].reshape(25, 32, 32, 3)
adapted = learner.adapt(backbone(examples), np.arange(25) // 5)
model = keras.Sequential([backbone, adapted])
print(model(pictures[30:35, 5]).numpy().argmax(axis=1))
