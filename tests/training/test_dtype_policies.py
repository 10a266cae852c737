"""Training under Keras's dtype policies, and with numbers checked."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Constants, regression

import reptile_tf as rt

POLICIES = (
    *("float64", "bfloat16", "float16", "mixed_float16", "mixed_bfloat16"),
)


@pytest.fixture
def policy(request):
    """Sets the global policy, for one test."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def numbers(learner):
    """All that a training changes, as it is in bits."""
    state = tf.nest.flatten(learner.inner_state)
    values = [learner.functional.phi(), *state]
    return [(v.dtype, v.numpy().tobytes()) for v in values]


def small():
    return keras.Sequential(
        [
            keras.Input((1,), dtype="float32"),
            keras.layers.Dense(6, "relu"),
            rt.models.BatchNormalization(),
            keras.layers.Dense(1),
        ]
    )


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
def test_what_learns_under_a_policy_resumes_without_it(
    policy, tmp_path, eagerly
):
    keras.utils.set_random_seed(0)
    waves = rt.SineWaves(5)
    learner = rt.MetaLearner(
        small(),
        inner_optimizer=rt.Adam(0.02),
        inner_steps=2,
        inner_batch_size=3,
        loss="mean_squared_error",
        metric="mse",
        meta_optimizer=rt.linear_decay(0.5, 100_000),
    )
    before = learner.functional.phi()
    learner.fit(waves, 1, verbose=0)
    assert learner.functional.dtype == learner.model.layers[-1].variable_dtype
    moved = tf.cast(learner.functional.phi() != before, tf.float32)
    assert tf.reduce_mean(moved) > 0.5
    learner.save(tmp_path / "learner.zip")
    learner.fit(waves, 2, verbose=0)
    keras.config.set_dtype_policy("float32")
    again = rt.MetaLearner.load(tmp_path / "learner.zip")
    again.fit(waves, 2, verbose=0)
    assert numbers(again) == numbers(learner)
    one, other = (
        each.evaluate(waves, 2, modes=["support"]) for each in (again, learner)
    )
    assert one == other


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_adam_of_weights_of_16_bits_takes_its_steps(dtype):
    """In bfloat16, beta_2 would be 1; in float16, epsilon would be 0."""
    weights = tf.constant([1.0, 1.0, 1.0], dtype)
    gradient = tf.constant([2.0, -1e-3, 0.0], dtype)
    adam = rt.Adam(0.125)
    weights, _ = adam.update(gradient, adam.init(weights), weights)
    assert weights.dtype == dtype
    np.testing.assert_allclose(
        tf.cast(weights, tf.float32), [0.875, 1.125, 1.0], rtol=1e-2
    )


@pytest.fixture
def checked_numbers():
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


@pytest.mark.parametrize("algorithm", ["reptile", "maml"])
def test_healthy_trainings_pass_the_check_of_numbers(
    algorithm, checked_numbers
):
    learner = regression(algorithm=algorithm, inner_steps=2)
    tasks = Constants(*range(10))
    learner.fit(tasks, 1, verbose=0)
    for steps in (0, 2):
        assert np.isfinite(learner.evaluate(tasks, 2, steps=steps)[0].value)
    learner.adapt(np.ones([1, 1]), np.ones([1, 1]), steps=2)


def test_a_file_says_what_its_model_may_ask_keras(tmp_path, monkeypatch):
    def softmax():
        return keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(2, "softmax")]
        )

    rt.MetaLearner(softmax()).save(tmp_path / "softmax.zip")
    rt.MetaLearner(rt.models.sine_mlp(2)).save(tmp_path / "ours.zip")
    monkeypatch.setattr(keras.src.backend.config, "_EPSILON", 0.1)
    monkeypatch.setattr(keras.src.backend.config, "_FLOATX", "float64")
    with pytest.raises(ValueError) as refused:
        rt.MetaLearner.load(tmp_path / "softmax.zip")
    text = str(refused.value)
    assert "floatx=float32, epsilon=1e-07" in text and "\n" not in text
    assert "floatx=float64, epsilon=0.1" in text
    assert "keras.config.set_epsilon(1e-07)" in text
    learner = rt.MetaLearner.load(tmp_path / "ours.zip")
    assert learner.functional.dtype == "float32"
