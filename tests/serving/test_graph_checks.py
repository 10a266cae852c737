"""What a request may not hold, refused by the graph itself."""

import numpy as np
import pytest
import tensorflow as tf
from exported import request


def bad(**changes):
    return lambda inputs: (
        inputs
        | {name: change(inputs[name]) for name, change in changes.items()}
    )


def with_one(value):
    def change(images):
        images = images.copy()
        images[1, 2, 3, 0] = value
        return images

    return change


IMPOSSIBLE = {
    "no support": (
        bad(support_images=lambda x: x[:0], support_labels=lambda y: y[:0]),
        ["support_images", "1 to 30", "received 0"],
    ),
    "no query": (
        bad(query_images=lambda x: x[:0]),
        ["query_images", "1 to 30", "received 0"],
    ),
    "different counts": (
        bad(support_labels=lambda y: y[:-1]),
        ["support_labels", "support_images", "received 8 and 9"],
    ),
    "label too large": (
        bad(support_labels=lambda y: y + 1),
        ["support_labels", "0 to 2", "received 1 to 3"],
    ),
    "negative label": (
        bad(support_labels=lambda y: y - 1),
        ["support_labels", "0 to 2", "received -1 to 1"],
    ),
    "labels in a column": (
        bad(support_labels=lambda y: y[:, None]),
        ["support_labels", "shape [n]", "received [9 1]"],
    ),
    "wrong size": (
        bad(support_images=lambda x: x[:, :7]),
        ["support_images", "[n 8 8 1]", "received [9 7 8 1]"],
    ),
    "no channel": (
        bad(query_images=lambda x: x[..., 0]),
        ["query_images", "[n 8 8 1]", "received [6 8 8]"],
    ),
    "one number for an image": (
        bad(query_images=lambda x: x[0, 0, 0, 0]),
        ["query_images", "[n 8 8 1]", "received []"],
    ),
    "pictures of bytes as floats": (
        bad(query_images=lambda x: x * 255),
        ["query_images", "from 0 to 1", "divide by 255"],
    ),
    "nan": (bad(support_images=with_one(np.nan)), ["support_images", "NaN"]),
    "infinity": (bad(query_images=with_one(np.inf)), ["query_images", "NaN"]),
    "negative steps": (
        bad(steps=lambda k: -k),
        ["steps", "0 to 20", "received -7"],
    ),
    "too many steps": (
        bad(steps=lambda k: np.int32(21)),
        ["steps", "0 to 20", "received 21"],
    ),
    "two numbers of steps": (
        bad(steps=lambda k: np.stack([k, k])),
        ["steps", "one number", "[2]"],
    ),
    "too many examples": (
        bad(query_images=lambda x: np.repeat(x, 6, 0)),
        ["query_images", "1 to 30", "received 36"],
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
@pytest.mark.parametrize(
    "signature", ["adapt_and_predict", "adapt_and_predict_transductive"]
)
def test_impossible_requests_are_invalid_arguments(
    served, task, case, signature
):
    change, words = IMPOSSIBLE[case]
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        served(signature, **change(request(task)))
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda w: w[:-1], ["weights", "as adapt returns it"]),
        (lambda w: w[None], ["weights", "as adapt returns it", "[1 "]),
        (lambda w: w * np.nan, ["weights", "NaN"]),
    ],
)
def test_impossible_weights_are_invalid_arguments(served, task, change, words):
    weights = change(served("initialization")["weights"])
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        served("predict", weights=weights, query_images=task.query_x.numpy())
    for word in words:
        assert word in str(raised.value)


def test_answers_that_are_no_numbers_are_refused(served, task):
    weights = served("initialization")["weights"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not be finite"):
        served(
            "predict",
            weights=weights * 3e38 / np.abs(weights).max(),
            query_images=-1e30 * task.query_x.numpy(),
        )
