"""One version of a model: a SavedModel, ready to answer."""

import concurrent.futures
import functools
import math
import pathlib
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from reptile_tf.serving import warmup
from reptile_tf.serving.server import refusals
from reptile_tf.serving.server.cancellable import Cancellation
from reptile_tf.serving.server.pace import Pace

_WARM_UP = 120.0  # seconds that all requests of a warm-up may take

_VERSION = "0|[1-9][0-9]{0,17}"


class SavedModel:
    """One version of a model, ready to answer.

    Args:
        folder: of the version.

    Attributes:
        version: its number, 0 if the folder's name is none.
        signatures: name -> `SignatureDef`, what can be asked.
        pace: how long requests take.
    """

    def __init__(self, folder: pathlib.Path):
        self.version = int(folder.name) if folder.name.isdecimal() else 0
        content = (folder / "saved_model.pb").read_bytes()
        [graph] = saved_model_pb2.SavedModel.FromString(content).meta_graphs
        loaded = tf.saved_model.load(str(folder))
        self._loaded = loaded  # its variables live as long as it does
        self._functions = loaded.signatures
        self._folder = folder
        self.pace = Pace()
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
        self,
        signature: str,
        inputs: Mapping[str, Any],
        cancellation: Cancellation | None = None,
    ) -> dict[str, np.ndarray]:
        """Returns name -> array of the outputs.

        Args:
            signature: the name of one of `signatures`.
            inputs: name -> array of each input.
            cancellation: what another thread may end it by.

        Raises:
            ValueError: the graph refuses the inputs; says why.
            tf.errors.CancelledError: it was ended.
        """
        known = self.signatures[signature].inputs
        given = {
            name: tf.constant(value, known[name].dtype)
            for name, value in inputs.items()
        }
        cancellation = cancellation or Cancellation()
        try:
            outputs = cancellation.call(self._functions[signature], given)
        except tf.errors.InvalidArgumentError as error:
            shapes = {name: known[name].tensor_shape for name in known}
            reason = refusals.reason(error.message, given, shapes)
            raise ValueError(reason) from error
        return {
            name: np.asarray(value.numpy(), value.dtype.as_numpy_dtype)
            for name, value in outputs.items()
        }

    def warm_up(self, at_a_time: int = 1) -> None:
        """Makes the requests that its folder holds, as TF Serving does.

        So the first ones of others are fast, and it is known how long they
        take.

        Args:
            at_a_time: requests that are made at a time, where nobody else's
                have to wait for them.

        Raises:
            ValueError: one of them is refused.
            tf.errors.OpError: one of them fails, or the file is not whole, or
            they take too long.
        """
        requests = list(warmup.read(self._folder / warmup.PLACE))
        cancellation = Cancellation()
        timer = threading.Timer(_WARM_UP, cancellation.cancel)
        timer.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
                list(
                    pool.map(
                        lambda asked: self.predict(
                            asked[0], asked[1], cancellation
                        ),
                        requests,
                    )
                )
            for signature, inputs in requests:
                start = time.monotonic()
                self.predict(signature, inputs, cancellation)
                self.pace.note(signature, inputs, time.monotonic() - start)
        finally:
            timer.cancel()

    @functools.cached_property
    def dtypes(self) -> dict[str, dict[str, np.dtype]]:
        """Signature -> name -> dtype of its inputs."""
        return {
            signature: {
                name: np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype)
                for name, info in definition.inputs.items()
            }
            for signature, definition in self.signatures.items()
        }

    @functools.cached_property
    def most_numbers(self) -> int | None:
        """How many numbers the inputs of a request can be at most.

        None where there is no limit, as in models that are no learner, and for
        texts.
        """
        limits = self.signatures.get("limits")
        if limits is None or "max_examples" not in limits.defaults:
            return None
        [examples] = limits.defaults["max_examples"].int_val
        most = 0
        for definition in self.signatures.values():
            total = 0
            for info in definition.inputs.values():
                size = _most_numbers(info, examples)
                if size is None:
                    return None
                total += size
            most = max(most, total)
        return most


def _most_numbers(info: meta_graph_pb2.TensorInfo, examples: int) -> int | None:
    """Returns how many numbers an input can be; None if that is not known."""
    first, *others = [dim.size for dim in info.tensor_shape.dim] or [1]
    if info.dtype == tf.string.as_datatype_enum or min(others, default=1) < 0:
        return None
    return math.prod([examples if first < 0 else first, *others])


def find_versions(folder: pathlib.Path) -> list[int]:
    """Returns the versions in a model's folder, highest first."""
    whole = [
        int(path.parent.name)
        for path in folder.glob("*/saved_model.pb")
        if re.fullmatch(_VERSION, path.parent.name)
    ]
    return sorted(whole, reverse=True)
