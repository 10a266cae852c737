"""What a request to a served model may hold, checked inside the graph.

Each check raises INVALID_ARGUMENT with a message that names the input, says
what was received and what would do; a server hands it to the client.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


def _require(condition: Any, message: str, *values: Any) -> tf.Operation:
    """Refuses with `message`, whose `{}` become `values`."""
    text = tf.strings.format(message, values)
    return tf.debugging.Assert(condition, [text])


def _require_finite(x: tf.Tensor, name: str) -> tf.Operation:
    # Flat, as what x is checked for here has not been checked for its rank.
    finite = tf.reduce_all(tf.math.is_finite(tf.reshape(x, [-1])))
    return _require(finite, f"{name} must be finite; received NaN or infinity")


def examples(
    x: tf.Tensor, shape: Sequence[int | None], name: str, max_examples: int
) -> tf.Tensor:
    """Returns examples, which must be finite, of a known shape and not many.

    Args:
        x: what was received as inputs or as targets, of any shape.
        shape: of one example; None where a size may be any.
        name: of the input.
        max_examples: how many examples there may be; there must be 1.
    """
    expected = ["n", *("any" if size is None else str(size) for size in shape)]
    received = tf.shape(x)
    # As long as it is to be, whatever was received.
    sizes = tf.concat([received, tf.fill([len(shape) + 1], -1)], 0)
    known = {i: size for i, size in enumerate(shape, 1) if size is not None}
    right = tf.equal(tf.size(received), len(shape) + 1)
    if known:
        found = tf.gather(sizes, list(known))
        right &= tf.reduce_all(tf.equal(found, list(known.values())))
    message = f"{name} must have shape [{' '.join(expected)}]; received {{}}"
    with tf.control_dependencies([_require(right, message, received)]):
        count = tf.identity(sizes)[0]
    in_number = _require(
        (count >= 1) & (count <= max_examples),
        f"{name} must be 1 to {max_examples} examples; received {{}}",
        count,
    )
    conditions = [in_number]
    if x.dtype.is_floating:
        conditions.append(_require_finite(x, name))
    with tf.control_dependencies(conditions):
        return tf.ensure_shape(tf.identity(x), [None, *shape])


def in_unit_range(x: tf.Tensor, name: str) -> tf.Tensor:
    """Returns pictures, which must not be in the range of bytes.

    Args:
        x: pictures that the model learned with as 0 to 1.
        name: of the input.
    """
    allowed = _require(
        tf.reduce_max(x) <= 2,  # not 1: augmentation and rounding exceed it
        f"{name} must be pictures from 0 to 1, as the model learned with; "
        "received values up to {}: divide by 255, or ask a signature whose "
        "name ends in _uint8 where the model has one",
        tf.reduce_max(x),
    )
    with tf.control_dependencies([allowed]):
        return tf.identity(x)


def labels(
    y: tf.Tensor,
    x: tf.Tensor,
    ways: int,
    names: tuple[str, str],
    max_examples: int,
    shape: Sequence[int | None] = (),
    ignored: int | None = None,
) -> tf.Tensor:
    """Returns labels, which must be 0 to ways - 1.

    Args:
        y: what was received as labels, of any shape.
        x: the examples.
        ways: the number of classes, N.
        names: of the labels and of the examples.
        max_examples: how many examples there may be.
        shape: of one example's labels; [] if it has one.
        ignored: a label that may be given all the same.
    """
    y = examples(y, shape, names[0], max_examples)
    allowed = (y >= 0) & (y < ways)
    if ignored is not None:
        allowed |= tf.equal(y, ignored)
    known = _require(
        tf.reduce_all(allowed),
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


def finite_answers(
    answers: Mapping[str, tf.Tensor], reason: str
) -> dict[str, tf.Tensor]:
    """Returns a request's answers by name, which must be finite.

    Args:
        answers: name -> values.
        reason: what is likely to be wrong if they are not.
    """
    finite = [
        _require(
            tf.reduce_all(tf.math.is_finite(values)),
            f"{name} would not be finite: {reason}",
        )
        for name, values in answers.items()
        if values.dtype.is_floating
    ]
    with tf.control_dependencies(finite):
        return {name: tf.identity(values) for name, values in answers.items()}
