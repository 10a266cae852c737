"""The requests that a server makes to itself."""

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2


def test_the_warm_up_asks_every_signature(served, folder):
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    asked = set()
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        wanted = log.predict_log.request
        assert wanted.model_spec.name == "toy"
        asked.add(wanted.model_spec.signature_name)
        served(
            wanted.model_spec.signature_name,
            **{k: tf.make_ndarray(v) for k, v in wanted.inputs.items()},
        )
    assert asked == set(served.signatures) - {"__saved_model_init_op"}
