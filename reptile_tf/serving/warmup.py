"""Requests that a server makes to itself, so that a client's first is fast."""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

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
) -> None:
    """Writes a file with one small request for each signature.

    Args:
        path: of the file.
        model_name: the name under which the model is served.
        signatures: name -> what each of its inputs is.
        shapes: name -> shape of one example, of inputs and targets; their
            names are without "support_" and "query_".
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, specs in signatures.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = name
            for spec in specs:
                one = spec.name.partition("_")[2]
                shape = [1, *shapes[one]] if one in shapes else spec.shape
                # As many steps as a compiled loop needs to be seen to loop.
                value: int | str = 2 if spec.name == "steps" else 0
                if spec.dtype == tf.string:
                    value = ""
                request.inputs[spec.name].CopyFrom(
                    tf.make_tensor_proto(value, spec.dtype, shape)
                )
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


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
