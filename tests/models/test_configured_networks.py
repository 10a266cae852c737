"""The package's networks under other configurations of Keras."""

import keras
import numpy as np
import pytest

from reptile_tf import models

X = np.random.default_rng(0).uniform(size=(2, 12, 8, 3)).astype("float32")


@pytest.fixture
def configured():
    """Configures Keras, for one test."""
    config = keras.config
    before = config.image_data_format(), config.epsilon(), config.floatx()
    policy = config.dtype_policy()
    yield config
    config.set_image_data_format(before[0])
    config.set_epsilon(before[1])
    config.set_floatx(before[2])
    config.set_dtype_policy(policy)


@pytest.mark.parametrize(
    "make", [models.omniglot_cnn, models.mini_imagenet_cnn]
)
def test_the_data_format_and_epsilon_make_no_difference(make, configured):
    usual = make(3, X.shape[1:])
    configured.set_image_data_format("channels_first")
    configured.set_epsilon(0.1)
    other = make(3, X.shape[1:])
    assert [v.shape for v in other.variables] == [
        v.shape for v in usual.variables
    ]
    other.set_weights(usual.get_weights())
    for training in (False, True):
        np.testing.assert_array_equal(
            other(X, training=training), usual(X, training=training)
        )


@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16"])
def test_the_dtype_policy_is_honoured_and_inputs_stay_float32(
    policy, configured
):
    configured.set_dtype_policy(policy)
    configured.set_floatx("float16")  # which the policy goes before
    for name, make in models.NETWORKS.items():
        model = make(3) if name != "sine_mlp" else make()
        assert model.inputs[0].dtype == "float32"
        assert model.layers[-1].dtype_policy.name == policy
