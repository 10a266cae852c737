"""What a request to a served model may hold, checked inside the graph.

Each check raises INVALID_ARGUMENT with a message that names the input, says
what was received and what would do; a server hands it to the client.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


def refusal_reason(message: str) -> str:
    """Returns what a check says, without what TensorFlow writes around it.

    Args:
        message: of TensorFlow's error.
    """
    found = re.search(r"assertion failed: \[(.*)\]", message)
    return found[1] if found else message


def _require(condition: Any, message: str, *values: Any) -> tf.Operation:
    """Refuses with `message`, whose `{}` become `values`."""
    text = tf.strings.format(message, values)
    return tf.debugging.Assert(condition, [text])


def _require_finite(x: tf.Tensor, name: str) -> tf.Operation:
    # Flat, as what x is checked for here has not been checked for its rank.
    finite = tf.reduce_all(tf.math.is_finite(tf.reshape(x, [-1])))
    return _require(finite, f"{name} must be finite; received NaN or infinity")


def examples(
    x: tf.Tensor, shape: Sequence[int], name: str, max_examples: int
) -> tf.Tensor:
    """Returns examples, which must be finite, of a known shape and not many.

    Args:
        x: what was received as inputs or as targets, of any shape.
        shape: of one example.
        name: of the input.
        max_examples: how many examples there may be; there must be 1.
    """
    expected = "[" + " ".join(map(str, shape)) + "]"
    received = tf.shape(x)
    ranked = tf.size(received) > 0
    ranked &= tf.equal(tf.strings.format("{}", received[1:]), expected)
    message = f"{name} must have shape [n{' ' * bool(shape)}{expected[1:]}"
    with tf.control_dependencies(
        [_require(ranked, message + "; received {}", received)]
    ):
        count = tf.identity(received)[0]
    in_number = _require(
        (count >= 1) & (count <= max_examples),
        f"{name} must be 1 to {max_examples} examples; received {{}}",
        count,
    )
    conditions = [in_number]
    if x.dtype.is_floating:
        conditions.append(_require_finite(x, name))
    with tf.control_dependencies(conditions):
        return tf.reshape(x, [-1, *shape])


def labels(
    y: tf.Tensor,
    x: tf.Tensor,
    ways: int,
    names: tuple[str, str],
    max_examples: int,
) -> tf.Tensor:
    """Returns labels, which must be 0 to ways - 1, one for each example.

    Args:
        y: what was received as labels, of any shape.
        x: the examples.
        ways: the number of classes, N.
        names: of the labels and of the examples.
        max_examples: how many examples there may be.
    """
    y = examples(y, [], names[0], max_examples)
    known = _require(
        tf.reduce_all((y >= 0) & (y < ways)),
        f"{names[0]} must be 0 to {ways - 1}; received {{}} to {{}}",
        tf.reduce_min(y),
        tf.reduce_max(y),
    )
    with tf.control_dependencies([known]):
        return same_number(y, x, names)


def same_number(
    y: tf.Tensor, x: tf.Tensor, names: tuple[str, str]
) -> tf.Tensor:
    """Returns y, which must hold as many examples as x.

    Args:
        y: the targets of the examples.
        x: the examples.
        names: of the targets and of the examples.
    """
    counts = tf.shape(y)[0], tf.shape(x)[0]
    same = _require(
        tf.equal(*counts),
        f"{names[0]} and {names[1]} must have the same number of examples; "
        "received {} and {}",
        *counts,
    )
    with tf.control_dependencies([same]):
        return tf.identity(y)


def steps(k: tf.Tensor, max_steps: int) -> tf.Tensor:
    """Returns the number of inner steps, which must be 0 to max_steps.

    Args:
        k: what was received as steps, of any shape.
        max_steps: how many inner steps a request may ask for.
    """
    scalar = _require(
        tf.equal(tf.size(k), 1),
        "steps must be one number; received shape {}",
        tf.shape(k),
    )
    with tf.control_dependencies([scalar]):
        k = tf.reshape(tf.identity(k), [])
    allowed = _require(
        (k >= 0) & (k <= max_steps),
        f"steps must be 0 to {max_steps}; received {{}}",
        k,
    )
    with tf.control_dependencies([allowed]):
        return tf.identity(k)


def weights(vector: tf.Tensor, size: int) -> tf.Tensor:
    """Returns an adapted learner's weights, which must be finite.

    Args:
        vector: what was received as weights, of any shape.
        size: how many numbers they must be.
    """
    received = tf.shape(vector)
    right = _require(
        tf.equal(tf.strings.format("{}", received), f"[{size}]"),
        f"weights must have shape [{size}], as adapt returns it; received {{}}",
        received,
    )
    with tf.control_dependencies([right, _require_finite(vector, "weights")]):
        return tf.reshape(vector, [size])


def finite_answers(answers: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns a request's answers by name, which must be finite.

    Args:
        answers: name -> values; one of them at least holds floats.
    """
    for name, values in answers.items():
        if values.dtype.is_floating:
            finite = _require(
                tf.reduce_all(tf.math.is_finite(values)),
                f"{name} would not be finite: adapting to this support set "
                "diverges; are its values in the model's range?",
            )
    with tf.control_dependencies([finite]):
        return {name: tf.identity(values) for name, values in answers.items()}
