"""Tasks that are made by a function of Python or NumPy."""

import contextlib
import dataclasses
import inspect
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from reptile_tf.data.images import to_inputs
from reptile_tf.data.python_arrays import (
    A_FUNCTION,
    PARTS,
    alike,
    arrays_of,
    described,
    no_iterator,
)
from reptile_tf.data.task import RecipeTasks, Task
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_at_least

# Seconds after which a call that others wait for is taken for stuck.
_PATIENCE = 120.0


class PythonTasks(RecipeTasks):
    """Tasks that a Python function returns; see `tasks_from_function`.

    >>> import numpy as np
    >>> import reptile_tf as rt
    >>> def line(index):
    ...     a = np.random.default_rng(index).uniform(-1, 1)
    ...     x = np.linspace(-5, 5, 8)[:, np.newaxis]
    ...     return x[::2], a * x[::2], x[1::2], a * x[1::2]
    >>> tasks = rt.tasks_from_function(line)
    >>> tasks.input_shape, tasks.sample(7).support_y.shape
    ((1,), TensorShape([4, 1]))

    Args:
        function: as of `tasks_from_function`.
        seed: as of `tasks_from_function`.
    """

    def __init__(self, function: Callable[[int], Any], seed: int = 0):
        _require_function(function)
        require_at_least(0, seed=seed)
        self.seed = seed
        self._function = function
        self._lock, self._calls = threading.Lock(), 0
        self._like, again = self._arrays(0), self._arrays(0)
        for name, one, other in zip(PARTS, self._like, again, strict=True):
            if not alike(one, other):
                raise ValueError(
                    "function must return the same task for the same number; "
                    f"asked for task 0 again, it returned another {name}. Draw "
                    "random numbers from np.random.default_rng(index), made "
                    "inside the function, and not from a generator that calls "
                    "share"
                )

        specs = tuple((like.shape, like.dtype.str) for like in self._like)
        number = next(_numbers)
        _made[number] = self
        super().__init__(
            _PythonRecipe(specs), (tf.constant(number), random.key_of(seed))
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self._like[0].shape[1:]

    def _checked(self, index: np.ndarray) -> list[np.ndarray]:
        """Returns task `index`, which has the shapes and dtypes of task 0."""
        arrays = self._arrays(int(index))
        for name, array, like in zip(PARTS, arrays, self._like, strict=True):
            if array.shape != like.shape or array.dtype != like.dtype:
                raise ValueError(
                    f"function must return {name} of one shape and dtype for "
                    f"all tasks; task 0 has {described(like)}, and task "
                    f"{index} has {described(array)}"
                )
        return arrays

    def _arrays(self, index: int) -> list[np.ndarray]:
        """Returns what the function returns for a number, as four arrays."""
        with self._turn(index):
            try:
                returned = self._function(index)
            except Exception as error:
                error.add_note(f"This was task {index} of {self._function!r}.")
                raise
            return arrays_of(returned, index)

    @contextlib.contextmanager
    def _turn(self, index: int) -> Iterator[None]:
        """Lets one thread at a time call the function, and copy its arrays.

        TensorFlow asks from several threads, and a function may write into
        arrays or read files that its calls share. If it calls a tf.function,
        that one waits for a thread, and all of TensorFlow's threads may wait
        here: then they are told so.
        """
        calls = self._calls
        while not self._lock.acquire(timeout=_PATIENCE):
            if calls == self._calls:
                raise RuntimeError(
                    f"task {index} has waited {_PATIENCE:g} seconds for a call "
                    "of the function to end. The function must not call a "
                    "tf.function, such as predict of a Keras model, as it may "
                    "find no thread to run on: compute what models return "
                    "before the tasks are made"
                )
            calls = self._calls
        try:
            yield
        finally:
            self._calls += 1
            self._lock.release()


@dataclasses.dataclass(frozen=True)
class _PythonRecipe:
    """How the tasks of a Python function are had: it is called.

    Attributes:
        specs: shape and dtype of support_x, support_y, query_x and query_y.
    """

    specs: tuple[tuple[tuple[int, ...], str], ...]

    def sample(self, ingredients: Any, index: tf.Tensor) -> Task:
        """Returns task `index`.

        Args:
            ingredients: the number of the `PythonTasks`, and their key.
            index: integer scalar.
        """
        number, seed = ingredients
        index = tf.cast(index, tf.int64)
        # Stateless: TensorFlow may leave out a call that nothing depends on,
        # and run the tasks of a loop side by side.
        parts = tf.numpy_function(
            lambda number, index: _made[int(number)]._checked(index),
            [number, index],
            [tf.as_dtype(np.dtype(dtype)) for _, dtype in self.specs],
            stateful=False,
        )
        support_x, support_y, query_x, query_y = (
            tf.ensure_shape(part, shape)
            for part, (shape, _) in zip(parts, self.specs, strict=True)
        )
        support_x, query_x = (
            to_inputs(x, x.dtype == tf.uint8) for x in (support_x, query_x)
        )
        key = random.fold_in(seed, index)
        return Task(support_x, support_y, query_x, query_y, key)


# By numbers, which a compiled function can be given, and for as long as they
# are in use.
_made: weakref.WeakValueDictionary[int, PythonTasks] = (
    weakref.WeakValueDictionary()
)
_numbers = itertools.count()


def tasks_from_function(
    function: Callable[[int], Any], seed: int = 0
) -> PythonTasks:
    """Makes a distribution of tasks of a Python or NumPy function.

    Trainings, resumed ones among them, and evaluations ask for a task by its
    number, several times or in any order. So the arrays that are returned must
    follow from the number alone. Random numbers do if they come from
    `np.random.default_rng(index)`, made inside the function.

    It is called whenever a task is needed, by one thread at a time, which is
    slower than tasks made of TensorFlow operations. It must not call a
    tf.function itself, such as `predict` of a Keras model. Models see its
    inputs as they see those of `reptile_tf.LabelledExamples`: uint8 pictures
    `[n, height, width, channels]` as float32 between 0 and 1, floats as
    float32, whole numbers as int32.

    Args:
        function: of the number of a task, a Python int. It returns the arrays
            (support_x, support_y, query_x, query_y), or the same in pairs,
            ((support_x, support_y), (query_x, query_y)). Targets are integer
            labels, or floats; floats `[n]` become `[n, 1]`. All tasks have the
            shapes of task 0.
        seed: of what learners do at random with a task, such as the order of
            its mini-batches; any whole number from 0. The function does not
            see it.

    Raises:
        ValueError: `function` is a generator or no function, it returns
            something else than the four arrays, or it returns another task
            when it is called with the same number again.
    """
    return PythonTasks(function, seed)


def _require_function(function: Any) -> None:
    if (
        isinstance(function, Iterator)
        or inspect.isgeneratorfunction(function)
        or inspect.isgeneratorfunction(type(function).__call__)
    ):
        raise ValueError(no_iterator(function))
    if not callable(function):
        raise ValueError(
            "function must be a function of the number of a task; received a "
            f"{type(function).__name__}. Write one such as{A_FUNCTION}"
        )
