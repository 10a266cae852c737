"""What an exported model answers, through the loader that servers use."""

import concurrent.futures

import keras
import numpy as np
import pytest
import tensorflow as tf
from exported import (
    MAX_EXAMPLES,
    MAX_STEPS,
    WAYS,
    BareSession,
    close,
    expected,
    request,
    support,
)
from toys import Constants, dense, regression

from reptile_tf import Episodes, MetaLearner


@pytest.mark.parametrize("steps", [0, 1, 7])
@pytest.mark.parametrize("signature", ["serving_default", "adapt_and_predict"])
def test_it_answers_as_the_adapted_clone(
    served, learner, task, signature, steps
):
    answer = served(signature, **request(task, steps))
    close(answer["probabilities"], expected(learner, task, steps))
    np.testing.assert_array_equal(
        answer["labels"], answer["probabilities"].argmax(1)
    )


def test_queries_do_not_influence_one_another(served, task):
    together = served(**request(task))["probabilities"]
    for i, query in enumerate(task.query_x.numpy()):
        alone = served(**request(task) | {"query_images": query[None]})
        close(alone["probabilities"][0], together[i])


def test_transductive_is_the_mode_of_that_name(served, learner, task):
    functional = learner.functional
    weights = functional.flatten(
        learner.adapt(
            task.support_x, task.support_y, steps=7
        ).trainable_variables
    )
    answer = served("adapt_and_predict_transductive", **request(task))
    close(
        answer["probabilities"],
        tf.nn.softmax(functional.by_batch(weights, task.query_x)),
    )


def test_adapt_once_and_predict_often(served, task):
    whole = served(**request(task))
    weights = served("adapt", **support(task), steps=np.int32(7))["weights"]
    for rows in (slice(None), slice(0, 1), slice(2, 5)):
        answer = served(
            "predict", weights=weights, query_images=task.query_x.numpy()[rows]
        )
        for name in ("probabilities", "labels"):
            close(answer[name], whole[name][rows])


def test_raw_images_are_the_same_images(served, task):
    whole = request(task)
    raw = dict(whole)
    for name in ("support_images", "query_images"):
        raw[name] = np.round(whole[name] * 255).astype(np.uint8)
    answer = served("adapt_and_predict_uint8", **raw)
    close(answer["probabilities"], served(**whole)["probabilities"])


def test_absent_classes_are_out_of_the_question(served, task):
    keep = task.support_y.numpy() != 1
    few = {name: value[keep] for name, value in support(task).items()}
    answer = served(**request(task) | few)
    assert np.all(answer["probabilities"][:, 1] == 0)
    np.testing.assert_allclose(answer["probabilities"].sum(1), 1, rtol=1e-5)
    weights = served("adapt", **few, steps=np.int32(7))["weights"]
    again = served(
        "predict", weights=weights, query_images=task.query_x.numpy()
    )
    close(again["probabilities"], answer["probabilities"])


def test_the_limits_are_told(served):
    limits = served("limits")
    assert {name: int(value) for name, value in limits.items()} == {
        "max_steps": MAX_STEPS,
        "max_examples": MAX_EXAMPLES,
        "ways": WAYS,
    }


def test_the_largest_possible_request_is_not_refused(served, task):
    rows = np.arange(MAX_EXAMPLES) % 9
    many = {name: value[rows] for name, value in support(task).items()}
    served(**request(task, MAX_STEPS) | many)


def test_requests_side_by_side_do_not_meet(served, classes):
    episodes = Episodes(classes, WAYS, shots=2, query_shots=2)
    requests = [
        request(episodes.sample(tf.constant(i, tf.int64))) for i in range(64)
    ]
    alone = [served(**r)["probabilities"] for r in requests]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        together = pool.map(lambda r: served(**r)["probabilities"], requests)
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.ptp([a[0, 0] for a in alone]) > 0


def test_probabilities_of_0_stay_above_absent_classes(tmp_path):
    """Class 2 is all that the model thinks of, and not in the support set."""
    model = dense(ways=3)
    model.layers[-1].bias.assign([0.0, 0.0, 1000.0])
    model.add(keras.layers.Softmax())
    model.add(keras.layers.ReLU())  # or TensorFlow makes a log-softmax of it
    learner = MetaLearner(
        model, loss="sparse_categorical_crossentropy", inner_batch_size=1
    )
    x = np.zeros([2, 8, 8, 1], np.float32)
    answer = BareSession(learner.export(tmp_path / "m"))(
        support_images=x,
        support_labels=np.int32([0, 1]),
        query_images=x,
        steps=np.int32(0),
    )
    close(answer["probabilities"], [[0.5, 0.5, 0]] * 2)


def test_regression_is_served_too(tmp_path):
    learner = regression(inner_steps=2)
    learner.fit(Constants(*range(5)), 1, verbose=0)
    served = BareSession(learner.export(tmp_path / "line"))
    given = {
        "support_inputs": np.float32([[1]]),
        "support_targets": np.float32([[6]]),
        "steps": np.int32(3),
    }
    queries = np.float32([[1], [2]])
    adapted = learner.adapt([[1.0]], [[6.0]], steps=3)
    answer = served(**given, query_inputs=queries)
    close(answer["predictions"], adapted(queries))
    weights = served("adapt", **given)["weights"]
    answer = served("predict", weights=weights, query_inputs=queries)
    close(answer["predictions"], adapted(queries))
    with pytest.raises(tf.errors.InvalidArgumentError, match="support_targets"):
        wrong = {"support_targets": np.float32([[6], [6]])}
        served(**given | wrong, query_inputs=queries)
