"""Layers that TFLite can train are the same, derivatives and all."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import dense

import reptile_tf as rt
from reptile_tf.models.tflite_layers import trainable_in_tflite

layers = keras.layers
# Operations that TFLite lacks, in what differentiates a model.
LACKING = {
    *("ReluGrad", "MaxPoolGrad", "AvgPoolGrad", "Conv2DBackpropFilter"),
    *("FusedBatchNormV3", "FusedBatchNormGradV3", "StridedSliceGrad"),
}


def derivatives(model, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x, training=True)
        loss = tf.reduce_sum(tf.sin(3 * y))
    return [y, *tape.gradient(loss, [x, *model.trainable_variables])]


def operations(graph):
    found = {o.type for o in graph.get_operations()}
    return found.union(
        *(
            {n.op for n in f.node_def}
            for f in graph.as_graph_def().library.function
        )
    )


def test_they_compute_what_the_model_does():
    """In training, with all derivatives, and in inference."""
    keras.utils.set_random_seed(0)  # before the layers draw theirs
    model = dense(
        layers.Conv2D(3, 3, padding="same"),
        rt.models.BatchNormalization(),
        layers.MaxPooling2D(3, padding="same"),  # of 8 pixels
        layers.ReLU(),
        layers.Conv2D(4, (1, 2), (1, 2), activation="relu", padding="same"),
        layers.AveragePooling2D((2, 1)),  # of 3 pixels
        layers.Dense(3, "relu"),
        layers.MaxPooling2D((1, 2)),
    )
    other = trainable_in_tflite(model)
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 1))
    x = tf.constant(x, tf.float32)
    ours = tf.function(lambda x: derivatives(other, x), autograph=False)
    pairs = zip(ours(x), derivatives(model, x), strict=True)
    for found, expected in pairs:
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    used = operations(ours.get_concrete_function(x).graph)
    assert {"Maximum", "Max", "Mean"} < used and not used & LACKING
    np.testing.assert_allclose(
        other(x, training=False), model(x, training=False), atol=1e-6
    )


@pytest.mark.parametrize(
    "layer",
    [
        layers.ReLU(max_value=6),
        layers.MaxPooling2D(3, strides=2),
        layers.AveragePooling2D(3, padding="same"),
        layers.Conv2D(2, 3, activation="tanh", groups=1, dilation_rate=2),
        layers.Dropout(0.5),
    ],
    ids=lambda layer: layer.name,
)
def test_others_stay_as_they_are(layer):
    other = trainable_in_tflite(dense(layer)).layers[0]
    assert type(other) is type(layer)
    assert other.get_config() == layer.get_config()
