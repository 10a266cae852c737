"""Section 4.2: distances to solutions, and where phi ends between them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from reptile_tf.data.task import Task
from reptile_tf.paper import manifolds
from reptile_tf.utils import random


def two_circles():
    return manifolds.Circles([[-2.0, -1.0], [2.2, 1.0]], [1.6, 2.0])


def test_distances_to_circles_by_hand():
    """Outside, on and inside; a very large circle is a line."""
    circles = manifolds.Circles([[0, 0], [1e9, 0]], [5, 1e9 - 2])
    points = [[6.0, 8.0], [3.0, 4.0], [0.0, -1.0]]
    np.testing.assert_allclose(
        circles.distances(points), [[5, 4], [0, 1], [4, 2]], atol=1e-6
    )


def test_nearest_to_all_is_the_middle_of_the_gap():
    """Between circles apart it lies on the line that joins the centres."""
    np.testing.assert_allclose(
        manifolds.Circles([[-3, 1], [5, 1]], [1, 2]).nearest_to_all(),
        [0.5, 1.0],
        atol=1e-8,
    )
    circles = two_circles()
    a, b = circles.centres
    along = (b - a) / np.linalg.norm(b - a)
    middle = ((a + 1.6 * along) + (b - 2.0 * along)) / 2
    np.testing.assert_allclose(circles.nearest_to_all(), middle, atol=1e-8)


def test_an_inner_step_goes_half_of_the_way_to_the_circle():
    learner = manifolds.plane_learner([6.0, 8.0], 0.5, 1, inner_steps=1)
    circle = manifolds.Circles([[0, 0]], [5])
    _, adapted = manifolds.iterates(learner, circle, 1)
    np.testing.assert_allclose(adapted, [[4.5, 6.0]], rtol=1e-6)


def test_phi_ends_near_the_least_mean_squared_distance():
    """And each iterate is the one before, moved eps_i of the way to W~."""
    circles, start, n = two_circles(), [-1.5, 4.0], 100
    learner = manifolds.plane_learner(start, 0.5, n, inner_steps=4)
    phis, adapted = manifolds.iterates(learner, circles, n)
    np.testing.assert_allclose(phis[0], start)
    eps = 0.5 * (1 - np.arange(n) / n)[:, np.newaxis]
    np.testing.assert_allclose(
        phis[1:], phis[:-1] + eps * (adapted - phis[:-1]), atol=1e-6
    )
    # The tasks took turns: W~ is near the circle whose turn it was.
    own = circles.distances(adapted)[np.arange(n), np.arange(n) % 2]
    before = circles.distances(phis[:-1])[np.arange(n), np.arange(n) % 2]
    np.testing.assert_allclose(own, before / 2**4, atol=1e-5)

    nearest = circles.nearest_to_all()
    found = circles.compare(phis[0], phis[-1], nearest)
    assert found["nearest"]["from_nearest"] == 0
    assert found["start"]["from_nearest"] > 4
    assert found["phi"]["from_nearest"] < 0.02
    least = found["nearest"]["mean_squared_distance"]
    assert least <= found["phi"]["mean_squared_distance"] < least * 1.001


class Slopes:
    """Tasks y = c x on points x = 1 and x = 1 for a model y = w x."""

    input_shape = (1,)

    def sample(self, index):
        c = tf.constant([3.0, -1.0, 0.0])[index]
        x = tf.ones([2, 1])
        return Task(x, c * x, x, c * x, random.fold_in(0, index))


def test_distances_to_solutions_by_hand():
    """From w = 0 each step halves the distance to c: the loss is (w - c)^2."""
    solutions = manifolds.Solutions(toys.regression(), Slopes(), 3, 0.01)
    distances, losses, steps = solutions.distances(100, stop=True)
    # 3 / 2^5 < 0.1 < 3 / 2^4; 1 / 2^4 < 0.1 < 1 / 2^3; 0 is a solution.
    np.testing.assert_array_equal(steps, [5, 4, 0])
    left = np.array([3 / 32, 1 / 16, 0])
    np.testing.assert_allclose(distances, np.array([3, 1, 0]) - left)
    np.testing.assert_allclose(losses, left**2)

    distances, losses, steps = solutions.distances(2, stop=False)
    np.testing.assert_array_equal(steps, [2, 2, 2])
    np.testing.assert_allclose(distances, [2.25, 0.75, 0])


def test_measure_tells_how_many_reached_the_loss():
    solutions = manifolds.Solutions(toys.regression(), Slopes(), 3, 0.01)
    row = solutions.measure(4, stop=True)
    assert (row["num_tasks"], row["solved"], row["largest_steps"]) == (3, 2, 4)
    assert row["distance"] == pytest.approx((45 / 16 + 15 / 16) / 3)
    spread = np.std([45 / 16, 15 / 16, 0], ddof=1)
    assert row["ci95"] == pytest.approx(1.96 * spread / 3**0.5)
    assert row["largest_loss"] == pytest.approx((3 / 16) ** 2)


def test_mini_batches_change_from_step_to_step():
    """With batches of one of two points, both are seen."""

    class TwoPoints(Slopes):
        def sample(self, index):
            task = super().sample(index)
            return task._replace(
                support_x=tf.constant([[1.0], [0.0]]),
                support_y=tf.constant([[1.0], [0.0]]) * task.support_y,
            )

    learner = toys.regression()
    assert learner.settings.eval_inner_batch_size == 1
    solutions = manifolds.Solutions(learner, TwoPoints(), 2, 0.01)
    distances, _, _ = solutions.distances(8, stop=False)
    # x = 1 halves the way to c, x = 0 leaves it; with one of them alone the
    # distance were c (1 - 2^-8) or 0.
    for distance, c in zip(distances, (3.0, 1.0), strict=True):
        halvings = -np.log2(1 - distance / c)
        assert 0 < round(halvings) < 8


def test_logarithmic():
    assert manifolds.logarithmic(1000, 4) == [0, 1, 10, 100, 1000]
    assert manifolds.logarithmic(3, 9) == [0, 1, 2, 3]
    assert manifolds.logarithmic(1, 1) == [0, 1]
    assert manifolds.logarithmic(7, 1) == [0, 7]


def test_the_model_of_the_plane_is_the_distance():
    learner = manifolds.plane_learner([3.0, 4.0], 0.5, 1, 1)
    assert isinstance(learner.model, keras.Model)
    x = np.array([[0, 0], [3, 0], [3, 4.5]], np.float32)
    np.testing.assert_allclose(learner.model(x), [[5], [4], [0.5]])
