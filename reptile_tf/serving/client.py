"""Asking a model that was exported: in a folder, or on a server.

The server is one with TF Serving's REST API: TF Serving, or `reptile-tf serve`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from reptile_tf.data import image_files
from reptile_tf.data.task import Tasks
from reptile_tf.serving.picture_model import SIGNATURE, PictureModel
from reptile_tf.serving.remote_model import RemoteModel
from reptile_tf.serving.server import json_codec, values
from reptile_tf.serving.server.saved_models import SavedModel, find_versions
from reptile_tf.training.score import Score
from reptile_tf.utils import paths
from reptile_tf.utils.bars import Bar


class LocalModel:
    """A SavedModel in a folder.

    Args:
        folder: of a version, or of a model's versions, whose newest is taken.

    Raises:
        ValueError: the folder holds no SavedModel.
    """

    def __init__(self, folder: str | os.PathLike):
        folder = paths.local("model", folder)
        if not (folder / "saved_model.pb").is_file():
            versions = find_versions(folder)
            if not versions:
                raise ValueError(
                    f"{folder} holds no exported model; give a folder that "
                    "reptile-tf export wrote, or a server's "
                    "http://HOST:8501/v1/models/NAME"
                )
            folder /= str(versions[0])
        self._model = SavedModel(folder)

    def metadata(self) -> dict[str, dict]:
        """Returns the signatures by name, as TF Serving tells them."""
        return self._model.metadata()

    def predict(
        self, signature: str, inputs: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """Returns name -> array of the outputs.

        Args:
            signature: the name of the signature to ask.
            inputs: name -> value of each input.

        Raises:
            ValueError: the graph refuses the inputs; holds its message.
        """
        if signature not in self._model.signatures:
            known = ", ".join(sorted(self._model.signatures))
            raise ValueError(f"signature={signature!r} must be one of {known}")
        dtypes = self._model.dtypes[signature]
        json_codec.require_inputs(inputs, dtypes, signature)
        given = {}
        for name, value in inputs.items():
            array = values.as_array(name, value)
            if array.dtype != dtypes[name] or array.dtype.kind == "O":
                # As on the way to a server, where numbers have no type.
                array = values.to_array(name, array.tolist(), dtypes[name])
            given[name] = array
        return self._model.predict(signature, given)


Model: TypeAlias = RemoteModel | LocalModel


def connect(model: str | os.PathLike) -> Model:
    """Returns the model at a URL or in a folder.

    Args:
        model: the URL or the folder.

    Raises:
        ValueError: there is no model.
    """
    place = paths.or_server("model", model)
    remote = place.startswith(("http://", "https://"))
    return RemoteModel(place) if remote else LocalModel(place)


def classify(
    model: Model,
    classes: Mapping[str, Sequence[str | os.PathLike]],
    queries: Sequence[str | os.PathLike],
    steps: int,
) -> np.ndarray:
    """Adapts a model to pictures, and asks it about others.

    Args:
        model: that `connect` returned.
        classes: class name -> paths of its support pictures; at most as many
            classes as the model tells apart.
        queries: paths of the pictures to classify.
        steps: inner steps.

    Returns:
        Probabilities `[queries, classes]`.

    Raises:
        ValueError: the model does not classify pictures, or tells fewer
            classes apart, or refuses the request.
    """
    about = PictureModel.of(model.metadata())
    ways, preparation = about.ways, about.preparation
    if len(classes) > ways:
        raise ValueError(
            f"there are {len(classes)} classes; the model tells {ways} apart "
            "at most; reptile-tf adapt makes a model of any number of classes"
        )
    shown = [path for paths in classes.values() for path in paths]
    labels = [i for i, paths in enumerate(classes.values()) for _ in paths]
    answer = model.predict(
        SIGNATURE,
        {
            "support_images": image_files.load(shown, preparation),
            "support_labels": np.array(labels, np.int32),
            "query_images": image_files.load(queries, preparation),
            "steps": np.int32(steps),
        },
    )
    probabilities = answer["probabilities"]
    if probabilities.shape != (len(queries), ways):
        raise ValueError(
            f"the model answers with probabilities of shape "
            f"{list(probabilities.shape)}; of {len(queries)} pictures and "
            f"{ways} classes it must be {[len(queries), ways]}"
        )
    return probabilities[:, : len(classes)]


# The evaluation modes that can be asked for, and the signatures that have them.
_SIGNATURES = {
    "transductive": "adapt_and_predict_transductive",
    "support": "adapt_and_predict",
}


def evaluate(
    model: Model, tasks: Tasks, num_tasks: int, steps: int, verbose: int = 1
) -> list[Score]:
    """Measures a classifier's accuracy on tasks 0 to num_tasks - 1.

    Args:
        model: that `connect` returned.
        tasks: the distribution to measure on.
        num_tasks: the number of tasks, at least 2.
        steps: inner steps.
        verbose: 1 shows a progress bar.

    Returns:
        A score for each of the modes "transductive" and "support".

    Raises:
        ValueError: the model refuses a request.
    """
    accuracies: dict[str, list[float]] = {mode: [] for mode in _SIGNATURES}
    with Bar(num_tasks, "task", verbose) as bar:
        for index in range(num_tasks):
            task = tasks.sample(tf.constant(index, tf.int64))
            request = {
                **_named("support", task.support_x),
                "support_labels": task.support_y,
                **_named("query", task.query_x),
                "steps": np.int32(steps),
            }
            for mode, signature in _SIGNATURES.items():
                labels = model.predict(signature, request)["labels"]
                right = np.mean(labels == task.query_y.numpy())
                accuracies[mode].append(right.item())
            mean = np.mean(accuracies["support"])
            bar.show(index + 1, f"support accuracy {mean:.4g}")
    return [
        Score.of(mode, "accuracy", values)
        for mode, values in accuracies.items()
    ]


def _named(prefix: str, x: Any) -> dict[str, Any]:
    """Returns a task's inputs by the names that an export gives them."""
    if isinstance(x, Mapping):
        names = {key: re.sub(r"\W", "_", key) for key in x}
        return {f"{prefix}_{names[key]}": each for key, each in x.items()}
    if isinstance(x, list | tuple):
        return {f"{prefix}_{index}": each for index, each in enumerate(x)}
    return {f"{prefix}_images": x}
