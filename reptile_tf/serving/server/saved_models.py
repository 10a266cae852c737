"""SavedModels below a folder, in TF Serving's layout: BASE/NAME/VERSION."""

import concurrent.futures
import logging
import os
import pathlib
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from reptile_tf.serving import warmup
from reptile_tf.serving.server import refusals
from reptile_tf.utils.paths import local

# What a URL of TF Serving's REST API can name, and no hidden folder.
_NAME = re.compile(r"(?!\.)[^/:\\\0\ud800-\udfff]+")

_LONGEST = 255  # bytes of a folder's name

_VERSION = "*/saved_model.pb"

_PAUSE = 10.0  # seconds until a version that failed is tried again

# What loading a version raises that is not whole, or whose warm-up fails.
_NOT_WHOLE = OSError, ValueError, DecodeError, LookupError, tf.errors.OpError


class NotFound(LookupError):
    """There is no such model or version."""


class SavedModel:
    """One version of a model, ready to answer.

    Args:
        folder: of the version.

    Attributes:
        version: its number, 0 if the folder's name is none.
        signatures: name -> `SignatureDef`, what can be asked.
    """

    def __init__(self, folder: pathlib.Path):
        self.version = int(folder.name) if folder.name.isdecimal() else 0
        content = (folder / "saved_model.pb").read_bytes()
        [graph] = saved_model_pb2.SavedModel.FromString(content).meta_graphs
        loaded = tf.saved_model.load(str(folder))
        self._loaded = loaded  # its variables live as long as it does
        self._functions = loaded.signatures
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = {
            name: graph.signature_def[name] for name in self._functions
        }

    def metadata(self) -> dict[str, dict]:
        """Returns the signatures by name, as TF Serving tells them."""
        return {
            name: json_format.MessageToDict(
                signature,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for name, signature in self.signatures.items()
        }

    def predict(
        self, signature: str, inputs: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """Returns name -> array of the outputs.

        Args:
            signature: the name of one of `signatures`.
            inputs: name -> array of each input.

        Raises:
            ValueError: the graph refuses the inputs; says why.
        """
        known = self.signatures[signature].inputs
        given = {
            name: tf.constant(value, known[name].dtype)
            for name, value in inputs.items()
        }
        try:
            outputs = self._functions[signature](**given)
        except tf.errors.InvalidArgumentError as error:
            shapes = {name: known[name].tensor_shape for name in known}
            reason = refusals.reason(error.message, given, shapes)
            raise ValueError(reason) from error
        return {
            name: np.asarray(value.numpy(), value.dtype.as_numpy_dtype)
            for name, value in outputs.items()
        }

    def dtypes(self, signature: str) -> dict[str, np.dtype]:
        """Returns name -> dtype of a signature's inputs."""
        return {
            name: np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype)
            for name, info in self.signatures[signature].inputs.items()
        }


def find_versions(folder: pathlib.Path) -> list[int]:
    """Returns the versions in a model's folder, highest first."""
    whole = [
        int(path.parent.name)
        for path in folder.glob(_VERSION)
        if re.fullmatch("0|[1-9][0-9]{0,17}", path.parent.name)
    ]
    return sorted(whole, reverse=True)


class ModelFolder:
    """The models below a folder; each version is loaded when first needed.

    As in TF Serving, the requests in a version's
    `assets.extra/tf_serving_warmup_requests` are made before it answers others.
    Versions may be added while models are served; without a version asked for,
    the highest number answers.

    Args:
        base: the folder of the models' folders.

    Raises:
        ValueError: there is no such folder.
    """

    def __init__(self, base: str | os.PathLike):
        self._base = local("model_base_path", base)
        if not self._base.is_dir():
            raise ValueError(
                f"model_base_path={base} is not a folder; give the folder of "
                "the models' folders, as in BASE/NAME/VERSION/saved_model.pb"
            )
        self._loaded: dict[tuple[str, int], SavedModel] = {}
        # When each that could not be loaded was tried, and what was wrong.
        self._failed: dict[tuple[str, int], tuple[float, str]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Returns the names of the models that have a version."""
        folders = (p.name for p in self._base.iterdir() if p.is_dir())
        return sorted(name for name in folders if self.versions(name))

    def left_out(self) -> dict[str, str]:
        """Returns folder -> what would do, of models that are not served."""
        found = {}
        for folder in sorted(self._base.iterdir()):
            if find_versions(folder):
                if not _NAME.fullmatch(folder.name):
                    found[str(folder)] = (
                        "no URL can name it; give it a name without colon, "
                        "backslash and leading dot, in UTF-8"
                    )
            elif not folder.name.isdecimal() and [  # no version itself
                *folder.glob("saved_model.pb"),
                *folder.glob(_VERSION),
            ]:
                found[str(folder)] = (
                    "it has no version; put saved_model.pb into a folder in "
                    "it whose name is a number, such as 1"
                )
        return found

    def versions(self, name: str) -> list[int]:
        """Returns the versions of a model, highest first; none if unknown."""
        # Of a name that is too long, the file system says more than "no".
        fits = _NAME.fullmatch(name) and len(name.encode()) <= _LONGEST
        return find_versions(self._base / name) if fits else []

    def get(self, name: str, version: int | None = None) -> SavedModel:
        """Returns a version of a model, the newest if `version` is None.

        Raises:
            NotFound: there is none, or none that can be loaded.
        """
        versions = self.versions(name)
        if not versions or version not in (None, *versions):
            which = "Latest" if version is None else f"Specific({version})"
            raise NotFound(f"Servable not found for request: {which}({name})")
        wanted = versions if version is None else [version]
        with self._lock:
            for number in wanted:
                tried, _ = self._failed.get((name, number), (-_PAUSE, ""))
                if time.monotonic() - tried < _PAUSE:
                    continue
                try:
                    return self._load(name, number)
                except _NOT_WHOLE as error:
                    # Such as one that is just being copied here.
                    failure = time.monotonic(), str(error)
                    self._failed[name, number] = failure
                    logging.getLogger(__name__).error(
                        "%s/%s cannot be loaded: %s", name, number, error
                    )
        raise NotFound(f"No version of {name} can be loaded")

    def failure(self, name: str, version: int) -> str:
        """Returns why a version could not be loaded, "" if it could."""
        return self._failed.get((name, version), (0.0, ""))[1]

    def _load(self, name: str, version: int) -> SavedModel:
        key = name, version
        if key not in self._loaded:
            folder = self._base / name / str(version)
            model = SavedModel(folder)
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                requests = warmup.read(folder / warmup.PLACE)
                list(pool.map(lambda asked: model.predict(*asked), requests))
            self._loaded[key] = model
            self._failed.pop(key, None)
        return self._loaded[key]
