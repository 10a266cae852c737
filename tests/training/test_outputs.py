"""What a model ends in decides its loss, and an output's loss its accuracy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import reptile_tf as rt

TABLE = np.random.default_rng(0).normal(size=[6, 4]).astype(np.float32)


def behind(*last):
    """Returns a model with other layers or operations behind a dense one."""
    inputs = keras.Input([4])
    outputs = L.Dense(3)(inputs)
    for one in last:
        outputs = one(outputs)
    return keras.Model(inputs, outputs)


def softmax_of_its_own(size=4):
    return keras.Sequential([keras.Input([size]), L.Dense(3, "softmax")])


@pytest.mark.parametrize(
    "last, logits",
    [
        ([], True),
        ([L.Dropout(0.5)], True),
        ([L.Activation("log_softmax")], True),
        ([L.Softmax()], False),
        ([L.Activation("softmax")], False),
        ([keras.ops.softmax], False),
        ([keras.activations.softmax], False),
        ([L.Softmax(), L.Activation("linear", dtype="float32")], False),
        ([L.Softmax(), L.Identity()], False),
        ([L.Softmax(), L.Reshape([3])], False),
        ([L.Softmax(), lambda x: keras.ops.cast(x, "float32")], False),
        ([softmax_of_its_own(3)], False),
    ],
)
def test_a_softmax_at_the_end_is_noticed(last, logits):
    assert rt.MetaLearner(behind(*last)).loss.from_logits == logits
    if not logits:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        with pytest.raises(ValueError, match="takes logits.*probabilities"):
            rt.MetaLearner(behind(*last), loss=loss)


def test_an_adapted_model_ends_as_it_did():
    learner = rt.MetaLearner(softmax_of_its_own())
    adapted = learner.adapt(TABLE, list("abcabc"), steps=1)
    assert not rt.MetaLearner(adapted).loss.from_logits


def test_one_output_is_no_classifier():
    model = keras.Sequential([keras.Input([4]), L.Dense(1)])
    with pytest.raises(ValueError, match="one output.*loss='mse'.*Binary"):
        rt.MetaLearner(model)


def heads():
    inputs = keras.Input([4])
    return keras.Model(
        inputs,
        {
            "kind": L.Dense(3)(inputs),
            "row": L.Dense(3)(inputs),
            "yes": L.Dense(1)(inputs),
            "size": L.Dense(1)(inputs),
        },
    )


LOSSES = {
    "kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "row": keras.losses.CategoricalCrossentropy(from_logits=True),
    "yes": keras.losses.BinaryCrossentropy(from_logits=True),
    "size": "mse",
}


@pytest.mark.parametrize(
    "which, y, accuracy",
    [
        ("kind", [0, 1, 2, 1], 0.75),
        ("row", np.eye(3)[[0, 1, 2, 1]], 0.75),
        ("yes", [[1], [0], [1], [1]], 0.5),
    ],
)
def test_the_accuracy_of_an_output_is_that_of_its_loss(which, y, accuracy):
    """The outputs say the classes 0, 1, 2, 2, or yes, no, no, no."""
    metric = {**dict.fromkeys(LOSSES), which: "accuracy"}
    learner = rt.MetaLearner(heads(), loss=LOSSES, metric=metric)
    said = {name: np.zeros([4, 1], np.float32) for name in LOSSES}
    said["yes"] = np.float32([[2], [-1], [-1], [-3]])
    said["kind"] = said["row"] = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    targets = {name: tf.zeros([4, 1]) for name in LOSSES}
    targets[which] = tf.constant(y)
    learner.metric.update_state(targets, said)
    assert learner.metric.name == "accuracy"
    assert float(learner.metric.result()) == accuracy


def test_no_accuracy_of_numbers():
    metric = {**dict.fromkeys(LOSSES), "size": "accuracy"}
    with pytest.raises(ValueError, match="not known for loss='mse'"):
        rt.MetaLearner(heads(), loss=LOSSES, metric=metric)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0)),
        keras.optimizers.SGD(1.0, loss_scale_factor=1024.0),
    ],
)
def test_scaled_losses_are_refused(optimizer):
    with pytest.raises(ValueError, match="meta_optimizer must not scale loss"):
        rt.MetaLearner(behind(), meta_optimizer=optimizer)
