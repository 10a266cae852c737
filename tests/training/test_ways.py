"""A learner of N classes as one of fewer or more."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import reptile_tf as rt
from reptile_tf.training.ways import with_ways


@pytest.fixture(scope="module")
def learner(classes):
    """Of three classes, trained a little, so that Adam has moments."""
    keras.utils.set_random_seed(0)
    made = rt.MetaLearner(
        rt.models.omniglot_cnn(3, (8, 8, 1)),
        inner_optimizer=rt.Adam(0.01),
        inner_steps=2,
        eval_inner_steps=3,
        loss_reduction="mean",
    )
    made.fit(rt.Episodes(classes, 3, 4), 2, verbose=0)
    return made


@pytest.mark.parametrize("ways", [2, 3, 5])
def test_outputs_at_0_steps(learner, classes, ways):
    """Those of the first classes, and for each class more their mean."""
    x = classes.examples[:4] / 255
    known = learner.adapt(x, [0, 1, 2, 0], steps=0).predict(x, verbose=0)
    other = with_ways(learner, ways)
    labels = np.arange(4) % ways
    found = other.adapt(x, labels, steps=0).predict(x, verbose=0)
    assert found.shape == (4, ways)
    expected = np.repeat(known.mean(1, keepdims=True), ways, 1)
    expected[:, : min(3, ways)] = known[:, : min(3, ways)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_settings_and_moments_go_along(learner):
    other = with_ways(learner, 5)
    assert other.settings == learner.settings
    assert other.inner_optimizer == learner.inner_optimizer
    assert other.iteration == learner.iteration == 2
    assert other.inner_state.step == learner.inner_state.step
    one, two = (
        dict(
            zip(
                [v.path.split("/", 1)[-1] for v in m.model.trainable_variables],
                m.functional.unflatten(m.inner_state.second),
                strict=True,
            )
        )
        for m in (learner, other)
    )
    different = [k for k in one if one[k].shape != two.get(k, one[k]).shape]
    for key in one.keys() & two.keys() - set(different):
        np.testing.assert_array_equal(one[key], two[key])
    kernel, wider = (
        m.functional.unflatten(m.inner_state.second)[-2]
        for m in (learner, other)
    )
    np.testing.assert_array_equal(wider[:, :3], kernel)
    mean = np.mean(kernel, 1)
    np.testing.assert_allclose(wider[:, 3], mean, rtol=1e-6)
    np.testing.assert_allclose(wider[:, 4], mean, rtol=1e-6)


def test_what_lies_beside_the_weights_goes_along():
    rows = np.float32([[100, 3], [104, 5], [90, 1], [97, 9]])
    layer = keras.layers.Normalization()
    layer.adapt(rows)
    relu = keras.layers.Lambda(lambda x: keras.ops.relu(x))
    model = keras.Sequential(
        [keras.Input((2,)), layer, relu, keras.layers.Dense(3)]
    )
    one = rt.MetaLearner(model)
    other = with_ways(one, 2)
    np.testing.assert_allclose(other.model(rows), model(rows)[:, :2], rtol=1e-6)
    adapted = other.adapt(rows, [0, 1, 0, 1], steps=0)
    np.testing.assert_array_equal(adapted(rows), other.model(rows))


def test_the_learner_itself_stays_as_it_is(learner):
    before = learner.functional.phi().numpy()
    assert with_ways(learner, 3) is learner
    with_ways(learner, 4)
    np.testing.assert_array_equal(before, learner.functional.phi())
    assert learner.model.output_shape == (None, 3)


def test_more_classes_than_it_was_trained_with_are_learned(learner, classes):
    other = with_ways(learner, 6)
    x = np.concatenate([classes[c][:4] for c in range(6)]) / 255
    y = np.repeat(np.arange(6), 4)
    model = other.adapt(x, y, steps=60)
    assert np.mean(model.predict(x, verbose=0).argmax(1) == y) > 0.9


def test_other_last_layers_are_refused():
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.GlobalAveragePooling2D()(
        keras.layers.Conv2D(3, 3)(inputs)
    )
    learner = rt.MetaLearner(keras.Model(inputs, outputs))
    with pytest.raises(ValueError, match="must be a Dense layer.*Conv2D"):
        with_ways(learner, 2)
    with pytest.raises(ValueError, match="ways must be at least 2; received 1"):
        with_ways(learner, 1)


def test_a_nested_model(classes):
    """Whose last layer is inside of another model."""
    inner = rt.models.omniglot_cnn(3, (8, 8, 1))
    inputs = keras.Input((8, 8, 1))
    learner = rt.MetaLearner(keras.Model(inputs, inner(inputs)))
    other = with_ways(learner, 4)
    assert other.model.output_shape == (None, 4)
    x = tf.constant(classes.examples[:2] / 255, tf.float32)
    np.testing.assert_allclose(
        other.model(x)[:, :3], learner.model(x), atol=1e-5
    )
