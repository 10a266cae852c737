"""What TensorFlow says, as a client reads it."""

import pytest
import tensorflow as tf
from rest_requests import GIVEN, predict

from reptile_tf.serving import client
from reptile_tf.serving.server import refusals

SENTENCE = 'the model\'s "é" \\ [a] [[x]]\n\t\x01 received [1 2]'


@tf.function
def refuse():
    tf.debugging.Assert(tf.constant(False), [tf.constant(SENTENCE)])


def test_a_check_of_a_graph_is_told_as_it_was_written():
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        refuse()
    assert SENTENCE not in raised.value.message  # TensorFlow escapes it
    assert refusals.reason(raised.value.message) == SENTENCE
    # As TF Serving says it, of several that fail.
    served = "2 root error(s) found.\n  (0) INVALID_ARGUMENT: assertion failed"
    served += ": [it\\'s] \n\t [[{{node a}}]]\n  (1) INVALID_ARGUMENT: asser"
    assert refusals.reason(served) == "it's"
    assert refusals.reason("something else") == "something else"


def test_diverging_answers_reach_clients_as_they_were_written(ask, base, port):
    wild = GIVEN | {"support_targets": [[1e30]], "query_inputs": [[1e30]]}
    status, answer = predict(ask, wild)
    assert status == 400 and "predictions would not be fin" in answer["error"]
    assert "\\" not in answer["error"]
    for model in (base / "line", f"http://127.0.0.1:{port}/v1/models/line"):
        with pytest.raises(ValueError) as raised:
            client.connect(model).predict("serving_default", wild)
        assert str(raised.value).endswith(answer["error"])
