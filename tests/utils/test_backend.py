"""Which Keras, and which mode of TensorFlow, this package works with."""

import importlib.util
import os
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from reptile_tf import MetaLearner, SineWaves, models

# As of an object of Keras 2, which need not be installed.
Legacy = type("Adam", (), {"__module__": "tf_keras.src.optimizers.adam"})


@pytest.mark.parametrize("name", ["model", "meta_optimizer", "loss", "metric"])
def test_objects_of_keras_2_are_refused(name):
    parts = {"model": models.sine_mlp(), "loss": "mean_squared_error"}
    legacy = [Legacy()] if name == "loss" else Legacy()
    with pytest.raises(ValueError) as refused:
        MetaLearner(**(parts | {name: legacy}))
    text = str(refused.value)
    assert text.startswith(f"{name} must be of Keras 3; Adam is of Keras 2")
    assert "`import keras`" in text and "\n" not in text


def test_callbacks_of_keras_2_are_refused():
    learner = MetaLearner(
        models.sine_mlp(), loss="mean_squared_error", metric="mse"
    )
    tasks = SineWaves(10)
    for use in (
        lambda told: learner.fit(tasks, 1, callbacks=told, verbose=0),
        lambda told: learner.evaluate(tasks, 2, callbacks=told),
    ):
        with pytest.raises(ValueError, match="callbacks must be of Keras 3"):
            use([Legacy()])


def test_another_backend_is_refused(monkeypatch):
    model = models.sine_mlp()
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="torch; set KERAS_BACKEND=tensorflow"):
        MetaLearner(model)


def test_graph_mode_is_refused(monkeypatch):
    model = models.sine_mlp()
    name = "executing_eagerly_outside_functions"
    monkeypatch.setattr(tf.compat.v1, name, lambda: False)
    with pytest.raises(ValueError, match="leave out .*disable_eager_exec"):
        MetaLearner(model)


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is not None, reason="jax is installed"
)
def test_a_backend_that_is_not_installed_is_refused_in_one_line(tmp_path):
    code = (
        "import reptile_tf as rt\n"
        "try:\n    rt.MetaLearner\nexcept ValueError as error: print(error)\n"
        "import sys\nsys.argv = ['reptile-tf', 'train', '--preset=sine',\n"
        f"            '--run_dir={tmp_path}']\n"
        "from reptile_tf.cli.main import main\nmain()"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    told = "which is set to jax; set KERAS_BACKEND=tensorflow"
    assert process.returncode == 1
    [line], [error] = (
        text.splitlines() for text in (process.stdout, process.stderr)
    )
    assert told in line and error.startswith("reptile-tf train: reptile_tf")
    assert told in error
