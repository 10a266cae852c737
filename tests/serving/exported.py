"""Ways to ask an exported model, and the toy that most tests export."""

import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

WAYS, MAX_STEPS, MAX_EXAMPLES = 3, 20, 30
C_API = pathlib.Path(__file__).with_name("c_api.py")


class BareSession:
    """A SavedModel in a bare session, as servers of other languages see it."""

    def __init__(self, folder):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        self.signatures = tf.compat.v1.saved_model.loader.load(
            self.session, ["serve"], str(folder)
        ).signature_def

    def request(self, signature, inputs):
        """Returns (tensor name -> value, output name -> tensor name)."""
        signature = self.signatures[signature]
        feed = {
            signature.inputs[name].name: np.asarray(value)
            for name, value in inputs.items()
        }
        return feed, {k: v.name for k, v in signature.outputs.items()}

    def __call__(self, signature="serving_default", **inputs):
        feed, fetches = self.request(signature, inputs)
        output = self._output
        # Below `run`, which would check shapes; TF Serving leaves that to the
        # graph.
        values = self.session._call_tf_sessionrun(
            None,
            {output(name): value for name, value in feed.items()},
            [output(name) for name in fetches.values()],
            [],
            None,
        )
        return dict(zip(fetches, values, strict=True))

    def _output(self, name):
        return self.session.graph.get_tensor_by_name(name)._as_tf_output()


def support(task):
    """The inputs of `adapt`, but for the steps."""
    return {
        "support_images": task.support_x.numpy(),
        "support_labels": task.support_y.numpy(),
    }


def request(task, steps=7):
    """The inputs of `adapt_and_predict`."""
    steps = np.int32(steps)
    return {
        **support(task),
        "query_images": task.query_x.numpy(),
        "steps": steps,
    }


def expected(learner, task, steps=7):
    """The probabilities that a learner itself finds."""
    model = learner.adapt(task.support_x, task.support_y, steps=steps)
    return tf.nn.softmax(model(task.query_x, training=False))


def close(a, b, atol=1e-4):
    np.testing.assert_allclose(a, b, atol=atol)


def without_python(folder, served, signature, inputs, tmp_path):
    """The answer of the C API, in a process of its own."""
    feed, fetches = served.request(signature, inputs)
    files = tmp_path / "request.npz", tmp_path / "answer.npz"
    np.savez(files[0], outputs=[*fetches.values()], **feed)
    subprocess.run([sys.executable, C_API, folder, *files], check=True)
    with np.load(files[1]) as answer:
        return {name: answer[tensor] for name, tensor in fetches.items()}


def saved(folder):
    """The SavedModel's protocol buffer."""
    content = (folder / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content)
