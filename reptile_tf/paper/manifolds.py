"""Reptile as a way to a point near all solution manifolds (section 4.2).

W*_tau is the set of task tau's optimal weights, D the Euclidean distance.
Reptile takes SGD steps on E_tau[1/2 D(phi, W*_tau)^2] (equations 18 to 23),
with the end W~ of k inner steps for the point of W*_tau nearest to phi.

Of two circles in the plane (Figure 2) everything about this is known exactly.
Of a network it is not: D is bounded from above by the way to a solution that
gradient descent finds.
"""

import functools

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reptile_tf.algorithms.losses import example_losses
from reptile_tf.algorithms.optimizers import SGD
from reptile_tf.data.task import Task, Tasks
from reptile_tf.training.learner import MetaLearner
from reptile_tf.training.meta_optimizer import linear_decay
from reptile_tf.training.score import Score
from reptile_tf.utils import random
from reptile_tf.utils.validation import require_at_least


class Circles:
    """Tasks in the plane whose solutions W*_tau are circles, taken in turns.

    A task's one example asks for weights w in R^2 with |w - x| = y: x is the
    centre of a circle, y its radius.

    Args:
        centres: float `[circles, 2]`.
        radii: float `[circles]`.
    """

    input_shape = (2,)

    def __init__(self, centres: npt.ArrayLike, radii: npt.ArrayLike):
        self.centres = np.asarray(centres, np.float64)
        self.radii = np.asarray(radii, np.float64)

    def sample(self, index: tf.Tensor) -> Task:
        """Returns task `index`: float32 x `[1, 2]`, the centre, y `[1, 1]`."""
        turn = index % len(self.radii)
        x = tf.constant(self.centres, tf.float32)[turn][tf.newaxis]
        y = tf.constant(self.radii, tf.float32)[turn][tf.newaxis, tf.newaxis]
        return Task(x, y, x, y, random.fold_in(0, index))

    def distances(self, points: npt.ArrayLike) -> np.ndarray:
        """Returns D(w, W*_tau) = ||w - centre| - radius|.

        Args:
            points: w, float `[..., 2]`.

        Returns:
            float64 `[..., circles]`.
        """
        offsets = np.asarray(points)[..., np.newaxis, :] - self.centres
        return abs(np.linalg.norm(offsets, axis=-1) - self.radii)

    def nearest_to_all(
        self, low: float = -10.0, high: float = 10.0, cells: int = 500
    ) -> np.ndarray:
        """Returns the w that minimizes the mean of D(w, W*_tau)^2 (eq. 18).

        Tries every point of a grid, and then of ever finer ones around the
        best, so that it owes nothing to a training.

        Args:
            low: least coordinate of the square that is searched.
            high: largest coordinate of it.
            cells: of the grids, along each axis.

        Returns:
            float64 `[2]`.
        """
        best, half = np.full(2, (low + high) / 2), (high - low) / 2
        while half > 1e-9:
            axes = [np.linspace(c - half, c + half, cells + 1) for c in best]
            points = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
            means = (self.distances(points) ** 2).mean(-1)
            best = points[means.argmin()]
            half *= 10 / cells  # five cells to each side stay
        return best

    def compare(
        self, start: np.ndarray, phi: np.ndarray, nearest: np.ndarray
    ) -> dict:
        """Returns how near phi came to the point that it should.

        Args:
            start: of phi, `[2]`.
            phi: at the end, `[2]`.
            nearest: as of `nearest_to_all`, `[2]`.

        Returns:
            For each of the three, by name, the point, how far it is from
            `nearest`, and the mean of its squared distances to the circles.
        """
        points = {"start": start, "phi": phi, "nearest": nearest}
        return {
            name: {
                "point": [float(value) for value in point],
                "from_nearest": float(np.linalg.norm(point - nearest)),
                "mean_squared_distance": float(
                    (self.distances(point) ** 2).mean()
                ),
            }
            for name, point in points.items()
        }


class _Distance(keras.layers.Layer):
    """From its two weights, w, to the input: |w - x|, `[batch, 1]`."""

    def build(self, input_shape):
        self.w = self.add_weight(shape=input_shape[1:], name="w")

    def call(self, x):
        return tf.norm(self.w - x, axis=1, keepdims=True)


def plane_learner(
    phi: npt.ArrayLike, eps: float, outer_iterations: int, inner_steps: int
) -> MetaLearner:
    """Returns the learner of `Circles`, Algorithm 1 with SGD inside.

    An inner step goes half of the way to the circle, straight: the loss is
    D^2, its gradient 2 (w - p), where p is the nearest point, and alpha 1/4.

    Args:
        phi: where to start, float `[2]`.
        eps: outer step size; falls to 0 along a line, so that phi comes to
            rest between the circles.
        outer_iterations: N.
        inner_steps: k.
    """
    model = keras.Sequential([keras.Input((2,)), _Distance()])
    model.set_weights([np.asarray(phi)])
    return MetaLearner(
        model,
        inner_optimizer=SGD(0.25),
        inner_steps=inner_steps,
        inner_batch_size=1,
        meta_batch_size=1,
        meta_optimizer=linear_decay(eps, outer_iterations),
        loss="mean_squared_error",
        metric=keras.metrics.MeanSquaredError(),
    )


def iterates(
    learner: MetaLearner, tasks: Tasks, outer_iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Trains, and returns where phi and W~ were.

    Args:
        learner: of meta-batch size 1, adapting in evaluation as in training.
        tasks: to learn from.
        outer_iterations: N, all of them by `MetaLearner.fit`.

    Returns:
        (phis, adapted): float32 `[N + 1, weights]`, from the start to the end,
        and `[N, weights]`, each iteration's W~.
    """
    evaluator = learner.evaluator
    adapt = tf.function(
        functools.partial(evaluator.adapted_weights, evaluator.loop.now()),
        autograph=False,
    )
    phis, adapted = [learner.functional.phi().numpy()], []
    for i in range(outer_iterations):
        task = tasks.sample(tf.constant(i, tf.int64))
        weights = adapt(
            tf.constant(phis[-1]),
            learner.inner_state,
            tf.constant(learner.settings.inner_steps),
            task.support_x,
            task.support_y,
            task.key,
        )
        adapted.append(weights.numpy())
        learner.fit(tasks, i + 1, verbose=0)
        phis.append(learner.functional.phi().numpy())
    return np.stack(phis), np.stack(adapted)


def logarithmic(last: int, points: int = 8) -> list[int]:
    """Returns 0 and about `points` whole numbers from 1 to `last`.

    They are evenly spaced in the logarithm, without repetition.
    """
    numbers = np.geomspace(1, last, points).round().astype(int)
    numbers[-1] = last
    return [0, *np.unique(numbers).tolist()]


class Solutions:
    """How far phi is from each task's solutions, for tasks kept fixed.

    D(phi, W*_tau) itself cannot be computed for a network. As the paper does,
    SGD from phi takes the place of the nearest solution. Its W is some
    solution, not the nearest: |phi - W| is an upper bound of D.

    From different phi the same number of steps ends at different losses, and
    an end that is no solution yet is near to phi for that reason alone. So W
    is the first one whose loss on the support set is at most `loss`, and the
    set whose distance is bounded, {W : L_tau(W) <= loss}, is one and the same
    for all phi. A fixed number of steps is there to compare.

    Args:
        learner: with plain SGD inside, which has no state to carry.
        tasks: whose tasks 0 to num_tasks - 1 are measured on.
        num_tasks: the number of tasks, at least 2.
        loss: mean loss of an example at which W counts as a solution.
    """

    def __init__(
        self, learner: MetaLearner, tasks: Tasks, num_tasks: int, loss: float
    ):
        require_at_least(2, num_tasks=num_tasks)  # an interval needs two
        self._learner, self._loss = learner, loss
        self._example_losses = example_losses(learner.loss)
        drawn = [
            tasks.sample(tf.constant(i, tf.int64)) for i in range(num_tasks)
        ]
        self._x = tf.stack([task.support_x for task in drawn])
        self._y = tf.stack([task.support_y for task in drawn])
        self._walked = tf.function(self._walk, autograph=False)

    def distances(
        self, steps: int, stop: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Walks from the learner's phi.

        Args:
            steps: inner steps, at most.
            stop: whether a task takes no more of them once W is a solution.

        Returns:
            (distance, loss, steps), each `[num_tasks]`: |phi - W|, float32, the
            mean loss of W on the support set, float32, and the steps to it,
            int32. A loss above `loss` tells that W is no solution yet.
        """
        parts = self._walked(
            self._learner.functional.phi(),
            tf.constant(self._loss if stop else -1.0),  # -1: never reached
            tf.constant(steps),
        )
        distance, loss, taken = (part.numpy() for part in parts)
        return distance, loss, taken

    def measure(self, steps: int, stop: bool) -> dict:
        """Returns the means of what `distances` returns, ready to be written.

        Beside the mean distance are ci95, half the width of its 95% interval
        over tasks, and for how many tasks W is a solution.
        """
        distances, losses, taken = self.distances(steps, stop)
        score = Score.of("support", "distance", distances)
        return {
            "outer_iteration": self._learner.iteration,
            "distance": score.value,
            "ci95": score.ci95,
            "num_tasks": score.num_tasks,
            "solved": int((losses <= self._loss).sum()),
            "loss": float(losses.mean()),
            "largest_loss": float(losses.max()),
            "steps": float(taken.mean()),
            "largest_steps": int(taken.max()),
        }

    def _losses(self, weights):
        def one(parts):
            weights, x, y = parts
            outputs = self._learner.functional.by_batch(weights, x)
            return tf.reduce_mean(self._example_losses(y, outputs))

        return tf.vectorized_map(one, (weights, self._x, self._y))

    def _walk(self, phi, loss, most_steps):
        num_tasks = len(self._x)

        def step(number, weights, losses, steps):
            # One key for all tasks, as they walk together; one for each step,
            # or mini-batches smaller than the support set would never change.
            key = random.fold_in(0, number)

            def one(parts):
                weights, x, y = parts
                evaluator = self._learner.evaluator
                return evaluator.adapted_weights(
                    evaluator.loop, weights, (), tf.constant(1), x, y, key
                )

            going = losses > loss
            after = tf.vectorized_map(one, (weights, self._x, self._y))
            weights = tf.where(going[:, tf.newaxis], after, weights)
            steps += tf.cast(going, tf.int32)
            return number + 1, weights, self._losses(weights), steps

        start = tf.tile(phi[tf.newaxis], [num_tasks, 1])
        _, weights, losses, steps = tf.while_loop(
            lambda number, weights, losses, steps: tf.reduce_any(losses > loss),
            step,
            (0, start, self._losses(start), tf.zeros([num_tasks], tf.int32)),
            maximum_iterations=most_steps,
        )
        return tf.norm(weights - phi, axis=1), losses, steps
