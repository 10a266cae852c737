"""Adapted models where reptile_tf is not installed."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import reptile_tf as rt
from reptile_tf.models.class_names import ClassNames, class_names_of

NAMES = ("a dog", "café/bar", "x_y-z.1")
X = np.random.default_rng(0).uniform(size=(6, 8, 8, 1)).astype("float32")

CODE = """
import sys
sys.modules["reptile_tf"] = None
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model(np.load(sys.argv[2])))
"""


@pytest.mark.usefixtures("eagerly")
def test_an_adapted_model_opens_without_the_package(tmp_path):
    learner = rt.MetaLearner(
        rt.models.omniglot_cnn(3, (8, 8, 1)), inner_batch_size=3
    )
    model = learner.adapt(X, list(NAMES) * 2, steps=1)
    assert {type(x).__module__.partition(".")[0] for x in model.layers} == {
        "keras"
    }
    paths = [tmp_path / name for name in ("a.keras", "x.npy", "y.npy")]
    model.save(paths[0])
    np.save(paths[1], X)
    subprocess.run([sys.executable, "-c", CODE, *map(str, paths)], check=True)
    np.testing.assert_allclose(np.load(paths[2]), model(X), atol=1e-4)
    assert model.class_names == NAMES
    again = keras.saving.load_model(paths[0])
    assert class_names_of(again) == class_names_of(model) == NAMES


def test_files_of_older_versions_still_tell_their_names(tmp_path):
    """Their last layer is one of ours, and so is their normalization."""
    inputs = keras.Input((8, 8, 1))
    x = rt.models.BatchNormalization()(inputs)
    x = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    model = keras.Model(inputs, ClassNames(NAMES)(x))
    model.save(tmp_path / "old.keras")
    again = keras.saving.load_model(tmp_path / "old.keras")
    assert class_names_of(again) == NAMES
    np.testing.assert_array_equal(again(X), model(X))
    assert class_names_of(keras.Model(inputs, x)) == ()
