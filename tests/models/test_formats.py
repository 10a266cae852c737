"""What the files of other programs can hold, and what is said of the rest."""

import json
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from interpreters import by_onnx, by_tflite

from reptile_tf.models import formats, tflite


def branches():
    """A model of two inputs and two outputs, with names."""
    a, b = (keras.Input((2,), name=name) for name in "ab")
    # Which keeps tensors that are no weights.
    known = keras.layers.Normalization(mean=[1.0, 2.0], variance=[2.0, 3.0])
    c = keras.layers.Dense(3)(keras.layers.Add()([known(a), b]))
    d = keras.layers.Dense(1)(keras.layers.Subtract()([a, b]))
    return keras.Model({"a": a, "b": b}, {"c": c, "d": d})


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_inputs_and_outputs_keep_their_names(form, tmp_path):
    path, model = tmp_path / f"x.{form}", branches()
    about = {"class_names": ["ötter", "ant"], "ways": 2}
    formats.write(model, path, about, "about.json")
    if form == "onnx":
        run, metadata = by_onnx(path)
        found = {key: json.loads(value) for key, value in metadata.items()}
    else:
        run = by_tflite(path)
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read("about.json"))
    assert found == about
    x = np.random.default_rng(0).normal(size=(2, 3, 2)).astype(np.float32)
    x = dict(zip("ab", x, strict=True))
    found, expected = run(**x), model.predict(x, verbose=0)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6)


def test_what_onnx_has_not_is_named_and_nothing_written(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "gelu")])
    with pytest.raises(ValueError, match=r"as ONNX: .*Erfc"):
        formats.write(model, tmp_path / "x.onnx")
    half = keras.layers.Dense(2, dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((2,)), half])
    with pytest.raises(ValueError, match=r"as ONNX: .*bfloat16"):
        formats.write(model, tmp_path / "x.onnx")
    assert not [*tmp_path.iterdir()]


def function(operation):
    return tf.function(
        lambda x: {"y": operation(x)},
        input_signature=[tf.TensorSpec([None], tf.float32, "x")],
        autograph=False,
    ).get_concrete_function()


def test_what_tflite_has_not_is_told(capfd):
    """What TensorFlow computes in its place, or that nothing does."""
    with pytest.warns(UserWarning, match="leaves ReluGrad to TensorFlow.*Flex"):
        content = tflite.converted(
            function(lambda x: tf.raw_ops.ReluGrad(gradients=x, features=x)),
            *("f", "the toy", []),
        )
    assert tflite.operations(content)[1] == ["FlexReluGrad"]
    with pytest.raises(ValueError, match="the toy .*: TFLite lacks Erfc$"):
        tflite.converted(function(tf.math.erfc), "f", "the toy", [])
    capfd.readouterr()  # what the converter prints of it


def test_weights_that_change_have_no_place_in_tflite():
    """Their values would be whatever is in memory."""
    count = tf.Variable(1.0)
    with pytest.raises(ValueError, match="it changes its weights when it is"):
        tflite.converted(
            function(lambda x: x * count.assign_add(1.0)),
            *("f", "the toy", [count]),
        )


def test_without_the_extra_its_name_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"tf2onnx .*pip install 'reptile_tf\[formats"
    ):
        formats.write(branches(), tmp_path / "x.onnx")
    assert not [*tmp_path.iterdir()]
