"""What is drawn: a function of what was told, and better than chance."""

import math

import cmaes
import numpy as np
import pytest

from reptile_tf.search.samplers import METHODS
from reptile_tf.search.space import Space

SPACE = Space.parse(
    ["outer_step_size=0..1", "learning_rate=0..1", "inner_steps=int:0..10"]
)
START = np.array([0.9, 0.1, 0.9])


def sampler(method, seed=0):
    return METHODS[method](SPACE, START, seed)


def anything(values):
    return None


def cost(values):
    """Least at 0.3, 0.6 and 2."""
    return (
        (values["outer_step_size"] - 0.3) ** 2
        + (values["learning_rate"] - 0.6) ** 2
        + (values["inner_steps"] - 2) ** 2 / 100
    )


def searched(method, generations=30, seed=0):
    made, best = sampler(method, seed), []
    for generation in range(1, generations + 1):
        drawn = made.ask(generation, anything)
        costs = [cost(each.values) for each in drawn]
        made.tell([each.point for each in drawn], costs)
        best.append(min(costs))
    return made, best


@pytest.mark.parametrize("seed", range(5))
def test_cma_finds_the_least_of_a_sphere_and_random_search_does_not(seed):
    made, best = searched("cma", seed=seed)
    assert min(best) < 1e-5
    assert made.spread()["sigma"] < 0.03
    # With 30 generations of 7 each, in the same cube.
    assert min(searched("random", seed=seed)[1]) > 1e-4


def test_whole_numbers_do_not_run_away_where_they_do_not_matter():
    """As those of `cmaes` do: to -3.7 with sigma 1.7, for this very search."""
    made = sampler("cma")
    for generation in range(1, 30):
        drawn = made.ask(generation, anything)
        for each in drawn:
            assert -0.05 <= each.point[2] <= 1.05
        costs = [cost(each.values | {"inner_steps": 2}) for each in drawn]
        made.tell([each.point for each in drawn], costs)
        assert made.spread()["sigma"] < 0.6


@pytest.mark.parametrize("method", METHODS)
def test_what_is_drawn_depends_on_what_was_told_alone(method):
    """Not on what was drawn before, nor on what was refused then."""
    straight, _ = searched(method, 3)
    again = sampler(method)
    told = sampler(method)
    for generation in range(1, 4):
        drawn = told.ask(generation, anything)
        points = [each.point for each in drawn]
        costs = [cost(each.values) for each in drawn]
        told.tell(points, costs)
        again.tell(points, costs)
    expected = straight.ask(4, anything)
    assert again.ask(4, anything) == expected
    assert again.ask(4, anything) == expected
    assert again.ask(5, anything) != expected
    assert sampler(method, 1).ask(1, anything) != sampler(method).ask(
        1, anything
    )


def test_the_first_generation_is_cma_es_own():
    """Drawn with `cmaes` alone, from the start and a quarter of the range."""
    own = cmaes.CMAwM(
        START.copy(), 0.25, np.tile([0.0, 1], (3, 1)), np.array([0, 0, 0.1])
    )
    seed = np.random.SeedSequence([0, 1]).generate_state(1)[0]
    own.reseed_rng(int(seed))
    ours = sampler("cma")
    assert ours.generation_size == own.population_size == 7
    for drawn in ours.ask(1, anything):
        shown, told = own.ask()
        while not -0.05 <= told[2] <= 1.05:  # a whole number's own reach
            shown, told = own.ask()
        assert drawn.point == told.tolist()
        assert drawn.values == SPACE.values(shown)


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_tried_is_not_drawn(method):
    def few(values):
        return "too many" if values["inner_steps"] > 6 else None

    drawn = sampler(method).ask(1, few)
    assert len(drawn) == 7
    assert all(each.values["inner_steps"] <= 6 for each in drawn)
    with pytest.raises(ValueError, match="only 0 can be tried.*as in: never"):
        sampler(method).ask(1, lambda values: "never")


def test_infinity_is_the_worst_there_is():
    """What cost infinity is left behind, however much of it there is."""
    made = sampler("cma")
    for generation in range(1, 13):
        drawn = made.ask(generation, anything)
        costs = [
            cost(each.values)
            if each.values["learning_rate"] > 0.2
            else math.inf
            for each in drawn
        ]
        made.tell([each.point for each in drawn], costs)
    drawn = made.ask(13, anything)
    assert all(np.isfinite(each.point).all() for each in drawn)
    assert np.mean([each.values["learning_rate"] for each in drawn]) > 0.3


def test_all_infinite_does_no_harm():
    made = sampler("cma")
    drawn = made.ask(1, anything)
    made.tell([each.point for each in drawn], [math.inf] * 7)
    assert np.isfinite([each.point for each in made.ask(2, anything)]).all()


def test_one_setting_alone_can_be_searched():
    one = Space.parse(["inner_steps=int:2..3"])
    for method in METHODS:
        made = METHODS[method](one, np.array([0.0]), 0)
        drawn = made.ask(1, anything)
        assert len(drawn) == 4
        assert {each.values["inner_steps"] for each in drawn} <= {2, 3}
        made.tell([each.point for each in drawn], [0.0, 1, 2, 3])
