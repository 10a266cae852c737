"""Means over seeds, and their two intervals."""

import math

import pytest
from PIL import Image

from reptile_tf.experiments import seed_scores, seeds_plot


def evaluation(seed, *accuracies, ci95=0.03, num_tasks=10):
    """What the evaluation.json of a seed says."""
    modes = "transductive", "support"
    return [
        {
            **{"mode": mode, "accuracy": accuracy, "ci95": ci95},
            **{"num_tasks": num_tasks, "seed": seed, "split": "test"},
        }
        for mode, accuracy in zip(modes, accuracies, strict=False)
    ]


def test_the_interval_over_seeds_is_students():
    """As tables have t: of 1, 2, 9 and 30 degrees of freedom."""
    known = {1: 12.7062, 2: 4.3027, 9: 2.2622, 30: 2.0423}
    for degrees, t in known.items():
        assert seed_scores.student(degrees) == pytest.approx(t, abs=1e-4)


def test_a_mean_has_an_interval_over_seeds_and_one_over_tasks():
    """Of 0.6, 0.7 and 0.8, whose standard deviation is 0.1."""
    found = seed_scores.summary(
        [evaluation(s, a, 0.5) for s, a in ((0, 0.6), (1, 0.7), (7, 0.8))]
    )
    first, second = found
    assert first["accuracy"] == pytest.approx(0.7)
    over_seeds = 4.3027 * 0.1 / math.sqrt(3)
    assert first["ci95_over_seeds"] == pytest.approx(over_seeds, rel=1e-4)
    assert first["ci95_over_tasks"] == pytest.approx(0.03 / math.sqrt(3))
    assert (first["seeds"], first["split"]) == ([0, 1, 7], "test")
    assert [each["accuracy"] for each in first["of_each"]] == [0.6, 0.7, 0.8]
    assert second["mode"] == "support" and second["ci95_over_seeds"] == 0
    assert not {"seed", "ci95"} & first.keys()


def test_evaluations_that_differ_have_no_mean():
    with pytest.raises(ValueError, match="different numbers of tasks"):
        seed_scores.summary(
            [evaluation(0, 0.5), evaluation(1, 0.5, num_tasks=11)]
        )


def test_the_table_is_markdown_with_even_columns():
    found = seed_scores.summary(
        [evaluation(seed, 0.5 + seed / 10, 0.5) for seed in range(3)]
    )
    assert seed_scores.table(found) == [
        "| Mode         | Accuracy +- 95% (seeds) | +- 95% (tasks) | Tasks | "
        "Seeds  |",
        "| ------------ | ----------------------- | -------------- | ----- | "
        "------ |",
        "| transductive | 60.00% +- 24.84%        | +- 1.73%       | 10    | "
        "0 to 2 |",
        "| support      | 50.00% +- 0.00%         | +- 1.73%       | 10    | "
        "0 to 2 |",
    ]
    alone = seed_scores.table(seed_scores.summary([evaluation(4, 0.5)]))
    assert "| 50.00%  " in alone[-1] and "| +- 3.00% " in alone[-1]


def test_many_seeds_are_drawn(tmp_path):
    found = seed_scores.summary(
        [evaluation(seed, 0.9, 0.8) for seed in range(20)]
    )
    seeds_plot.draw(found, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width == 990  # a column of 3.3 inches
