"""The requests that a server makes to itself."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from reptile_tf import MetaLearner
from reptile_tf.serving import warmup
from reptile_tf.serving.client import LocalModel


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


def masked(last):
    """A model of which an example that is all masked has no finite answer."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(9, 3, mask_zero=True),
            keras.layers.GlobalAveragePooling1D(),
            last,
        ]
    )


def test_a_warm_up_is_one_that_is_answered(tmp_path):
    learner = MetaLearner(masked(keras.layers.Dense(2)))
    model = LocalModel(learner.export(tmp_path / "text"))
    requests = list(warmup.read(tmp_path / "text" / "1" / warmup.PLACE))
    assert len(requests) == 7
    for name, inputs in requests:
        for values in model.predict(name, inputs).values():
            assert np.isfinite(values).all()


def test_without_an_answer_there_is_no_warm_up(tmp_path):
    def nothing(x):
        return x / 0.0

    with keras.saving.custom_object_scope({"nothing": nothing}):
        learner = MetaLearner(masked(keras.layers.Dense(2, activation=nothing)))
    learner.export(tmp_path / "text")
    assert not (tmp_path / "text" / "1" / warmup.PLACE).exists()
