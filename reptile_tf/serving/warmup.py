"""Requests that TF Serving makes by itself, so that the first one is fast."""

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2


def write(path, model: str, signatures: dict) -> None:
    """Writes one small request for each signature.

    Args:
        path: of the file, `assets.extra/tf_serving_warmup_requests`.
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
