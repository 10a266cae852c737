"""What Python functions return for a task, as arrays that models take."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from reptile_tf.data.images import are_pictures
from reptile_tf.data.task import Task

PARTS = Task._fields[:4]  # what a function returns: all but the key

A_FUNCTION = """
    def task(index):
        rng = np.random.default_rng([seed, index])
        ...  # draws from rng alone
        return support_x, support_y, query_x, query_y"""


def no_iterator(received: Any) -> str:
    """Returns why a generator cannot stand for tasks, and what would do."""
    return (
        "function must return the task of a number; received a generator or "
        f"an iterator, {received!r}. It cannot be asked for task number i "
        "again, so a training could not be resumed exactly, nor could two "
        "learners be evaluated on the same tasks. Write it as a function such "
        f"as{A_FUNCTION}"
    )


def arrays_of(returned: Any, index: int) -> list[np.ndarray]:
    """Returns support_x, support_y, query_x and query_y as new arrays.

    Args:
        returned: what a function returned for a task.
        index: number of the task.

    Raises:
        ValueError: it is something else, or nothing to learn from.
    """
    arrays = [
        _array(part, name, index)
        for part, name in zip(_four(returned, index), PARTS, strict=True)
    ]
    _require_examples(index, *arrays)
    return arrays


def _four(returned: Any, index: int) -> list[Any]:
    """Returns the four parts of a task that a function returned."""
    if isinstance(returned, Iterator):
        raise ValueError(no_iterator(returned))
    found = type(returned).__name__
    if isinstance(returned, (tuple, list)):
        parts = list(returned)
        if len(parts) == 2 and all(
            isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in parts
        ):
            parts = [*parts[0], *parts[1]]
        if len(parts) == 4:
            return parts
        found += f" of {len(parts)}"
    raise ValueError(
        "function must return (support_x, support_y, query_x, query_y) or "
        "((support_x, support_y), (query_x, query_y)); for task "
        f"{index} it returned a {found}"
    )


def _array(values: Any, name: str, index: int) -> np.ndarray:
    """Returns a part as a new array, in a dtype that models take."""
    if isinstance(values, dict | tuple):
        raise ValueError(
            f"{name} must be one array; for task {index} it is a "
            f"{type(values).__name__}. Tasks of a model with several inputs or "
            "outputs are objects with a function sample(index) that returns a "
            "reptile_tf.Task"
        )
    try:
        array = np.asarray(values)
        found = described(array)
    except ValueError:
        array, found = np.empty([]), "a list of rows of unequal lengths"
    kind, targets = array.dtype.kind, name.endswith("_y")
    if not array.ndim or kind not in "fbiu":
        raise ValueError(
            f"{name} must be an array of numbers, one row for each example; "
            f"for task {index} it is {found}"
        )
    if kind in "fb":
        array = array.astype(np.float32)
        # As models return them: a loss that broadcasts would compare each
        # output of [n, 1] with each target of [n].
        return array[:, np.newaxis] if targets and array.ndim == 1 else array
    if not targets and _are_pictures(array, name):
        return array.copy()  # scaled where the task is sampled
    if array.size and not (
        np.iinfo(np.int32).min <= array.min()
        and array.max() <= np.iinfo(np.int32).max
    ):
        raise ValueError(
            f"{name} must be whole numbers of 32 bits, or floats; for task "
            f"{index} it has {array.min()} to {array.max()}"
        )
    return array.astype(np.int32)


def _are_pictures(array: np.ndarray, name: str) -> bool:
    try:
        return are_pictures(array.dtype, array.shape[1:])
    except ValueError:
        raise ValueError(
            f"{name} of uint8 {list(array.shape)} may be pictures or whole "
            "numbers; let function return pictures as np.float32(x) / 255, and "
            "numbers as x.astype('int32')"
        ) from None


def _require_examples(index, support_x, support_y, query_x, query_y) -> None:
    """Refuses sets that nothing can be learned from, or asked about."""
    for name, x, y in (
        ("support", support_x, support_y),
        ("query", query_x, query_y),
    ):
        if len(x) != len(y):
            raise ValueError(
                f"{name}_x and {name}_y must have the same length; for task "
                f"{index} they have {len(x)} and {len(y)}"
            )
    if not len(support_x):
        raise ValueError(
            "support_x must have at least 1 example to learn from; for task "
            f"{index} it is {described(support_x)}"
        )
    for name, support, query in (
        ("x", support_x, query_x),
        ("y", support_y, query_y),
    ):
        if support.shape[1:] != query.shape[1:] or support.dtype != query.dtype:
            raise ValueError(
                f"support_{name} and query_{name} must have examples of one "
                f"shape and dtype; for task {index} they are "
                f"{described(support)} and {described(query)}; for a task "
                f"without queries return support_{name}[:0]"
            )


def described(array: np.ndarray) -> str:
    """Returns dtype and shape, for messages."""
    return f"{array.dtype} {list(array.shape)}"


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Returns whether arrays are the same, NaN being NaN."""
    nan = one.dtype.kind == "f"
    return one.dtype == other.dtype and np.array_equal(one, other, nan)
