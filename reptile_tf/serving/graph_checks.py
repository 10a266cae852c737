"""What a request may hold, checked inside the graph.

Each check raises INVALID_ARGUMENT with a message that names the input, says
what was received and what would do; a server hands it to the client.
"""

import re

import tensorflow as tf


def reason(message: str) -> str:
    """Returns what a refusal says, out of TensorFlow's message around it."""
    found = re.search(r"assertion failed: \[(.*)\]", message)
    return found[1] if found else message


def _require(condition, what: str, *values) -> tf.Operation:
    """Refuses with `what`, whose `{}` become `values`."""
    return tf.debugging.Assert(condition, [tf.strings.format(what, values)])


def _require_finite(x, name: str) -> tf.Operation:
    # Flat, as what x is checked for here has not been checked for its rank.
    finite = tf.reduce_all(tf.math.is_finite(tf.reshape(x, [-1])))
    return _require(finite, f"{name} must be finite; received NaN or infinity")


def examples(x, shape, name: str, most: int) -> tf.Tensor:
    """Returns inputs or targets of the right shape and number, and finite.

    Args:
        x: what was received, of any shape.
        shape: of one example.
        name: of the input.
        most: the most examples there may be.
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
        (count >= 1) & (count <= most),
        f"{name} must be 1 to {most} examples; received {{}}",
        count,
    )
    conditions = [in_number]
    if x.dtype.is_floating:
        conditions.append(_require_finite(x, name))
    with tf.control_dependencies(conditions):
        return tf.reshape(x, [-1, *shape])


def labels(y, x, ways: int, names: tuple[str, str], most: int) -> tf.Tensor:
    """Returns labels 0..ways-1, one for each of the examples `x`.

    Args:
        y: what was received, of any shape.
        x: the examples.
        ways: N.
        names: of the labels and of the examples.
        most: the most examples there may be.
    """
    y = examples(y, [], names[0], most)
    known = _require(
        tf.reduce_all((y >= 0) & (y < ways)),
        f"{names[0]} must be 0 to {ways - 1}; received {{}} to {{}}",
        tf.reduce_min(y),
        tf.reduce_max(y),
    )
    with tf.control_dependencies([known]):
        return same_number(y, x, names)


def same_number(y, x, names: tuple[str, str]) -> tf.Tensor:
    """Returns y, which must have as many examples as x."""
    counts = tf.shape(y)[0], tf.shape(x)[0]
    same = _require(
        tf.equal(*counts),
        f"{names[0]} and {names[1]} must have the same number of examples; "
        "received {} and {}",
        *counts,
    )
    with tf.control_dependencies([same]):
        return tf.identity(y)


def steps(k, most: int) -> tf.Tensor:
    """Returns the number of inner steps, 0 to `most`."""
    scalar = _require(
        tf.equal(tf.size(k), 1),
        "steps must be one number; received shape {}",
        tf.shape(k),
    )
    with tf.control_dependencies([scalar]):
        k = tf.reshape(tf.identity(k), [])
    allowed = _require(
        (k >= 0) & (k <= most), f"steps must be 0 to {most}; received {{}}", k
    )
    with tf.control_dependencies([allowed]):
        return tf.identity(k)


def vector(v, size: int, name: str) -> tf.Tensor:
    """Returns an adapted learner's vector."""
    right = _require(
        tf.equal(tf.strings.format("{}", tf.shape(v)), f"[{size}]"),
        f"{name} must have shape [{size}], as adapt returns it; received {{}}",
        tf.shape(v),
    )
    with tf.control_dependencies([right, _require_finite(v, name)]):
        return tf.reshape(v, [size])


def finite_answers(answers: dict) -> dict:
    """Returns the answers; refuses requests that no finite answer has."""
    for name, values in answers.items():
        if values.dtype.is_floating:
            finite = _require(
                tf.reduce_all(tf.math.is_finite(values)),
                f"{name} would not be finite: adapting to this support set "
                "diverges; are its values in the model's range?",
            )
    with tf.control_dependencies([finite]):
        return {name: tf.identity(values) for name, values in answers.items()}
