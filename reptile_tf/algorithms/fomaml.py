"""First-order MAML: the change that one last step makes at adapted weights."""

import dataclasses
from typing import Any

import tensorflow as tf

from reptile_tf.algorithms.algorithm import (
    Algorithm,
    Lesson,
    what_would_do,
)
from reptile_tf.algorithms.gradient_combination import weighted_steps
from reptile_tf.algorithms.inner_loop import (
    InnerLoop,
    adapt,
    adapt_to_support,
    mini_batches,
)
from reptile_tf.data.task import Task, num_examples
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_choice

_LAST_BATCHES = ("query", "shared", "separate")


@dataclasses.dataclass(frozen=True)
class FOMAML(Algorithm):
    """First-order MAML: the change of one last step, made at adapted weights.

    >>> import reptile_tf as rt
    >>> print(rt.FOMAML(), rt.FOMAML("shared"))
    fomaml fomaml_shared

    Attributes:
        last_batch: what the last step is made on. "query" (its definition):
            the query set, after k steps on the support set. "shared": the
            k-th mini-batch of the support set, drawn like the others.
            "separate": B support examples that the steps before do not see
            (the authors' "tail shots", drawn without regard to classes).
    """

    last_batch: str = "query"

    def __post_init__(self):
        require_choice(_LAST_BATCHES, last_batch=self.last_batch)

    def __str__(self) -> str:
        suffix = "" if self.last_batch == "query" else f"_{self.last_batch}"
        return f"fomaml{suffix}"

    @property
    def needs_query(self) -> bool:
        """Whether tasks must have query examples."""
        return self.last_batch == "query"

    def require_examples(self, size: int, steps: int, batch_size: int) -> None:
        """Refuses support sets too small to keep the last mini-batch apart."""
        super().require_examples(size, steps, batch_size)
        apart = self.last_batch == "separate" and steps > 1
        if apart and 2 * batch_size > size:
            raise ValueError(
                f"algorithm={self} keeps the last mini-batch apart: two of "
                f"inner_batch_size={batch_size} take {2 * batch_size} support "
                f"examples, but a training task has {size}; "
                f"{what_would_do(size // 2)}"
            )

    def __call__(
        self, loop: InnerLoop, phi: tf.Tensor, state: Any, task: Task
    ) -> Lesson:
        """Takes k steps, and counts the last alone."""
        if self.last_batch == "query":
            weights, state, loss = adapt_to_support(loop, phi, state, task)
            x, y = task.query_x, task.query_y
            last = tf.range(num_examples(x))[tf.newaxis]
            after, state, _ = adapt(
                loop, weights, state, x, y, last, task.key, loop.steps
            )
            # W~ is adapted to the support set, not to what it is tested on.
            return Lesson(weights - after, weights, state, loss)
        size = num_examples(task.support_x)
        choose = mini_batches if self.last_batch == "shared" else _last_apart
        batches = choose(task.key, size, loop.steps, loop.batch_size)
        weights = [0.0] * (loop.steps - 1) + [1.0]
        return weighted_steps(weights, batches, loop, phi, state, task)


def _last_apart(key, size, steps: int, batch_size: int) -> tf.Tensor:
    """Returns mini-batches of which the last shares no example with others."""
    order_key, batches_key = random.split(key, 2)
    order = tf.squeeze(random.permutations(order_key, 1, size), 0)
    last, rest = order[tf.newaxis, :batch_size], order[batch_size:]
    if steps == 1:
        return last
    earlier = mini_batches(
        batches_key, size - batch_size, steps - 1, batch_size
    )
    return tf.concat([tf.gather(rest, earlier), last], 0)
