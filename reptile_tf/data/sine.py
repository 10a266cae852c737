"""The sine waves of section 3."""

import dataclasses
import math

import tensorflow as tf

from reptile_tf.data.task import RecipeTasks, Task
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_at_least

QUERIES = 50  # points of a query set


class SineWaves(RecipeTasks):
    """Regression tasks y = a sin(x + b) (paper, section 3).

    a ~ U[0.1, 5.0], b ~ U[0, 2 pi]. The support set is `shots` points with
    x ~ U[-5, 5]; the query set is 50 equally spaced points of [-5, 5], on which
    the paper measures the squared error.

    >>> import reptile_tf as rt
    >>> waves = rt.SineWaves(shots=10, seed=0)
    >>> bool((waves.sample(3).support_y == waves.sample(3).support_y)[0])
    True

    Args:
        shots: p, points of the support set, at least 1; 10 in Figure 1.
        seed: of the sequence of tasks, any whole number from 0.
    """

    input_shape = (1,)

    def __init__(self, shots: int = 10, seed: int = 0):
        require_at_least(1, shots=shots)
        require_at_least(0, seed=seed)
        self.shots, self.seed = shots, seed
        super().__init__(_SineRecipe(shots), random.key_of(seed))


@dataclasses.dataclass(frozen=True)
class _SineRecipe:
    """How `SineWaves` are drawn; see there."""

    shots: int

    def sample(self, ingredients: tf.Tensor, index: tf.Tensor) -> Task:
        """Returns task `index`: float32 x and y, `[shots, 1]` and `[50, 1]`.

        Args:
            ingredients: the key of the seed.
            index: int64 scalar.
        """
        key = random.fold_in(ingredients, index)
        a_key, b_key, x_key, task_key = random.split(key, 4)
        a = random.uniform(a_key, [], 0.1, 5.0)
        b = random.uniform(b_key, [], 0.0, 2 * math.pi)
        support_x = random.uniform(x_key, [self.shots, 1], -5.0, 5.0)
        query_x = tf.linspace(-5.0, 5.0, QUERIES)[:, tf.newaxis]
        return Task(
            support_x,
            a * tf.sin(support_x + b),
            query_x,
            a * tf.sin(query_x + b),
            task_key,
        )
