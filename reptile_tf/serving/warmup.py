"""Requests that a server makes to itself, so that a client's first is fast."""

import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.utils.extras import extra

with extra("serve"):
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

# Where TF Serving looks for the file, below a version's folder.
PLACE = "assets.extra/tf_serving_warmup_requests"


def write(
    path: str | os.PathLike,
    model_name: str,
    signatures: Mapping[str, Sequence[tf.TensorSpec]],
    shapes: Mapping[str, Sequence[int]],
    functions: Mapping[str, Callable[..., Any]],
) -> None:
    """Writes a file with one small request for each signature.

    A server does not load a model that refuses one of them. What is all 0 may
    be refused, such as token ids that are all masked; then it is all 1. If that
    is refused too, there is no file, and a client's first request is slower.

    Args:
        path: of the file.
        model_name: the name under which the model is served.
        signatures: name -> what each of its inputs is.
        shapes: name -> shape of one example, of inputs and targets; their
            names are without "support_" and "query_".
        functions: name -> what answers.
    """
    for value in (0, 1):
        requests = {
            name: {spec.name: _example(spec, shapes, value) for spec in specs}
            for name, specs in signatures.items()
        }
        if _answers(functions, requests):
            break
    else:
        return
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, inputs in requests.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = name
            for key, values in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def _example(
    spec: tf.TensorSpec, shapes: Mapping[str, Sequence[int]], value: int
) -> tf.Tensor:
    """Returns an input of a request, of which all values are alike."""
    name = spec.name.partition("_")[2]
    shape = [1, *shapes[name]] if name in shapes else spec.shape
    if name not in shapes or name.startswith(("labels", "targets")):
        value = 0
    if spec.name == "steps":
        value = 2  # as many as a compiled loop needs to be seen to loop
    if spec.dtype == tf.string:
        return tf.fill(shape, str(value) if value else "")
    return tf.cast(tf.fill(shape, value), spec.dtype)


def _answers(
    functions: Mapping[str, Callable[..., Any]],
    requests: Mapping[str, Mapping[str, tf.Tensor]],
) -> bool:
    """Returns whether the two that all others are like can be answered."""
    try:
        for name in ("adapt_and_predict", "predict"):
            functions[name](**requests[name])
    except tf.errors.OpError:
        return False
    return True


def read(path: pathlib.Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields the signature and the inputs of each request in a file.

    Args:
        path: of the file; if there is none, there are no requests.

    Raises:
        tf.errors.DataLossError: the file is not whole.
    """
    if not path.exists():
        return
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        yield (
            request.model_spec.signature_name,
            {k: tf.make_ndarray(v) for k, v in request.inputs.items()},
        )
