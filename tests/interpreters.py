"""Files of other programs' formats, as these programs compute them."""

import warnings

import onnxruntime
import tensorflow as tf


def by_tflite(path, signature="serving_default"):
    """Returns what computes a signature of a file from arrays by name.

    It is for built-in operations alone: what was left to TensorFlow fails.
    """
    with warnings.catch_warnings(action="ignore"):  # of a package to come
        interpreter = tf.lite.Interpreter(str(path))
    return interpreter.get_signature_runner(signature)


def by_onnx(path):
    """Returns what computes a file from arrays by name, and its metadata."""
    session = onnxruntime.InferenceSession(path)
    outputs = [output.name for output in session.get_outputs()]

    def run(**inputs):
        return dict(zip(outputs, session.run(None, inputs), strict=True))

    return run, session.get_modelmeta().custom_metadata_map
