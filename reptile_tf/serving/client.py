"""Asking a model: in a folder, or on a server with TF Serving's REST API."""

import pathlib
import urllib.error
import urllib.request

import numpy as np
import orjson
import tensorflow as tf
from tqdm import tqdm

from reptile_tf.data import image_files as pictures
from reptile_tf.serving import graph_checks as requests
from reptile_tf.serving.server import json_codec as bodies
from reptile_tf.serving.server.saved_models import Model, versions_in
from reptile_tf.training.evaluation_modes import Score


class RemoteModel:
    """A model on a server.

    Args:
        url: such as http://localhost:8501/v1/models/NAME.

    Raises:
        ValueError: it cannot be reached, or has no such model.
    """

    def __init__(self, url: str):
        self._url = url.rstrip("/")
        answer = self._ask(f"{self._url}/metadata")
        self._signatures = answer["metadata"]["signature_def"]["signature_def"]

    def metadata(self) -> dict:
        """Returns the signatures as TF Serving tells them."""
        return self._signatures

    def predict(self, signature: str, inputs: dict) -> dict:
        """Returns name -> array of the outputs.

        Raises:
            ValueError: the server refuses the inputs; holds its message.
        """
        body = {
            "signature_name": signature,
            "inputs": {k: np.asarray(v) for k, v in inputs.items()},
        }
        answer = self._ask(f"{self._url}:predict", body)["outputs"]
        if not isinstance(answer, dict):  # a single output comes unnamed
            [name] = self._signatures[signature]["outputs"]
            answer = {name: answer}
        return {name: np.asarray(value) for name, value in answer.items()}

    def _ask(self, url: str, body: dict | None = None) -> dict:
        data = None if body is None else bodies.dumps(body)
        try:
            with urllib.request.urlopen(url, data, timeout=600) as response:
                return orjson.loads(response.read())
        except urllib.error.HTTPError as error:
            message = error.read().decode(errors="replace")
            raise ValueError(f"{url}: {message}") from error
        except (OSError, ValueError) as error:
            raise ValueError(f"{url} cannot be asked: {error}") from error


class LocalModel:
    """A SavedModel in a folder.

    Args:
        folder: of a version, or of a model's versions, whose newest is taken.

    Raises:
        ValueError: the folder holds no SavedModel.
    """

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        if not (folder / "saved_model.pb").is_file():
            found = versions_in(folder)
            if not found:
                raise ValueError(
                    f"{folder} holds no exported model; give a folder that "
                    "scripts/export.py wrote, or a server's "
                    "http://HOST:8501/v1/models/NAME"
                )
            folder /= str(found[0])
        self._model = Model(folder)

    def metadata(self) -> dict:
        """Returns the signatures as TF Serving tells them."""
        return self._model.metadata()

    def predict(self, signature: str, inputs: dict) -> dict:
        """Returns name -> array of the outputs.

        Raises:
            ValueError: the graph refuses the inputs; holds its message.
        """
        dtypes = self._model.dtypes(signature)
        bodies.require_inputs(inputs, dtypes, signature)
        given = {}
        for name, value in inputs.items():
            array, dtype = np.asarray(value), dtypes[name]
            # Also from float64, as numbers have no type on the way to a server.
            if not np.can_cast(array.dtype, dtype, "same_kind"):
                raise ValueError(
                    f"{name} must be {dtype}; received {array.dtype}"
                )
            given[name] = array.astype(dtype)
        try:
            return self._model.predict(signature, given)
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(requests.reason(error.message)) from error


def connect(model: str) -> RemoteModel | LocalModel:
    """Returns the model at a URL or in a folder."""
    remote = str(model).startswith(("http://", "https://"))
    return RemoteModel(model) if remote else LocalModel(model)


def classify(model, classes: dict, queries, steps: int) -> np.ndarray:
    """Adapts a model to pictures, and asks it about others.

    Args:
        model: that `connect` returned.
        classes: class name -> paths of its support pictures, at most N.
        queries: paths of the pictures to classify.
        steps: inner steps.

    Returns:
        Probabilities `[queries, classes]`.

    Raises:
        ValueError: the model does not classify pictures, or tells fewer
            classes apart, or refuses the request.
    """
    name = "adapt_and_predict_uint8"
    signature = model.metadata().get(name)
    if signature is None:
        raise ValueError(f"the model does not classify pictures: no {name}")
    height, width, channels = _shape(signature["inputs"]["query_images"])
    [ways] = _shape(signature["outputs"]["probabilities"])
    if len(classes) > ways:
        raise ValueError(
            f"there are {len(classes)} classes; the model tells {ways} apart "
            "at most"
        )
    shown = [path for paths in classes.values() for path in paths]
    labels = [i for i, paths in enumerate(classes.values()) for _ in paths]
    answer = model.predict(
        name,
        {
            "support_images": pictures.load(shown, height, width, channels),
            "support_labels": np.array(labels, np.int32),
            "query_images": pictures.load(queries, height, width, channels),
            "steps": np.int32(steps),
        },
    )
    return answer["probabilities"][:, : len(classes)]


# The evaluation modes that can be asked for.
_SIGNATURES = {
    "transductive": "adapt_and_predict_transductive",
    "support": "adapt_and_predict",
}


def evaluate(model, tasks, count: int, steps: int) -> list[Score]:
    """Measures a classifier's accuracy on tasks 0 to count - 1, task by task.

    Args:
        model: that `connect` returned.
        tasks: the distribution to measure on.
        count: number of tasks, at least 2.
        steps: inner steps.

    Returns:
        A score for each of the modes "transductive" and "support".
    """
    accuracies = {mode: [] for mode in _SIGNATURES}
    for index in tqdm(range(count), unit="task"):
        task = tasks.sample(tf.constant(index, tf.int64))
        request = {
            "support_images": task.support_x.numpy(),
            "support_labels": task.support_y.numpy(),
            "query_images": task.query_x.numpy(),
            "steps": np.int32(steps),
        }
        for mode, signature in _SIGNATURES.items():
            labels = model.predict(signature, request)["labels"]
            accuracies[mode].append(np.mean(labels == task.query_y.numpy()))
    return [
        Score.of(mode, "accuracy", values)
        for mode, values in accuracies.items()
    ]


def _shape(told: dict) -> list[int]:
    """Returns the shape of one example of a signature's input or output."""
    return [int(dim["size"]) for dim in told["tensor_shape"]["dim"][1:]]
