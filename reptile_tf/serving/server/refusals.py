"""What TensorFlow says when a graph refuses inputs, as a client reads it."""

import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

# Of a check's message TensorFlow writes these otherwise, as C does.
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def reason(
    message: str,
    given: Mapping[str, Any] | None = None,
    shapes: Mapping[str, Any] | None = None,
) -> str:
    r"""Returns what a graph says, without what TensorFlow writes around it.

    Args:
        message: of TensorFlow's error.
        given: name -> tensor of the inputs that were refused.
        shapes: name -> the shape that an input is declared to have; said where
            the graph has no check of its own that says what is wrong.

    Example:
        >>> reason(r"assertion failed: [it is the model\'s] [[{{node x}}]]")
        "it is the model's"
    """
    message = message.partition("<stack traces unavailable>\n")[2] or message
    message = re.split(r"\s*\[\[{{(?:function_)?node", message)[0]
    found = re.search(r"assertion failed: \[(.*)\]", message, re.DOTALL)
    if found:
        return _unescaped(found[1])
    for name, value in (given or {}).items():
        declared = tf.TensorShape((shapes or {})[name])
        if not declared.is_compatible_with(value.shape):
            return (
                f"{name} must have shape {_shown(declared)}; "
                f"received {_shown(value.shape)}"
            )
    return message


def _shown(shape: tf.TensorShape) -> str:
    """Returns a shape as the checks in graphs write it."""
    sizes = ("n" if size is None else str(size) for size in shape)
    return f"[{' '.join(sizes)}]"


def _unescaped(text: str) -> str:
    def character(found: re.Match) -> str:
        code = found[1]
        return chr(int(code, 8)) if len(code) == 3 else _ESCAPES.get(code, code)

    return re.sub(r"\\([0-7]{3}|.)", character, text)
