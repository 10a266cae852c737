"""Requests that a server makes by itself, so that the first one is fast."""

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

# Of the file, below a version's folder.
PLACE = "assets.extra/tf_serving_warmup_requests"


def write(path, model: str, signatures: dict) -> None:
    """Writes one small request for each signature.

    Args:
        path: of the file.
        model: the model's name.
        signatures: name -> the `tf.TensorSpec`s of the inputs.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, specs in signatures.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model
            request.model_spec.signature_name = name
            for spec in specs:
                shape = [1 if size is None else size for size in spec.shape]
                # As many steps as a compiled loop needs to be seen to loop.
                value = 2 if spec.name == "steps" else 0
                request.inputs[spec.name].CopyFrom(
                    tf.make_tensor_proto(value, spec.dtype, shape)
                )
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def read(path):
    """Yields (signature, inputs) of each request; none if there is no file.

    Args:
        path: of the file.

    Raises:
        tf.errors.DataLossError: it is not whole.
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
