"""What people are told: what is about to be done, and what came out."""

import dataclasses

from reptile_tf.experiments.presets import PRESETS
from reptile_tf.search import report, trials
from reptile_tf.search.search_settings import SearchSettings
from reptile_tf.search.trials import History, Result
from reptile_tf.training.score import Score

SETTINGS = SearchSettings(
    preset=PRESETS["glyphs"],
    space=("inner_steps=int:2..9", "outer_step_size=0.1..1"),
    trial_iterations=40,
)


def history(*results):
    entries = [{}]
    for i, _ in enumerate(results):
        values = {"inner_steps": 9 if i else 5, "outer_step_size": 0.7}
        entries.append({"trials": [[i, i, values, []]], "spread": {}})
    return History([*entries, *(result.entry() for result in results)])


def finished(number, value):
    score = Score("support", "accuracy", value, 0.01, 200)
    return Result(number, trials.FINISHED, 40, score)


def test_what_is_about_to_be_done():
    lines = report.opening(SETTINGS, history(), 41, 6).splitlines()
    assert lines == [
        "Searching glyphs by cma: 41 trials of 40 outer iterations, 6 to a "
        "generation, for accuracy on 200 validation tasks (mode support)",
        "  inner_steps=int:2..9, beginning at 5",
        "  outer_step_size=0.1..1.0, beginning at 0.7",
    ]
    some = history(finished(0, 0.5))
    assert report.opening(SETTINGS, some, 41, 6).endswith(
        "1 of 41 trials are done"
    )
    assert "a larger --num_trials" in report.opening(SETTINGS, some, 1, 6)


def test_what_came_out():
    both = history(finished(0, 0.5), finished(1, 0.75))
    lines = report.summary(SETTINGS, both, "my runs/best.json").splitlines()
    assert lines[:4] == [
        "2 trials: 2 finished",
        "The preset: trial 0: inner_steps 5, outer_step_size 0.7: support "
        "accuracy 50.00% +- 1.00% (200 tasks)",
        "The best:   trial 1: inner_steps 9, outer_step_size 0.7: support "
        "accuracy 75.00% +- 1.00% (200 tasks)",
        "inner_steps 9 is at an end of its range; a wider range may hold "
        "better ones",
    ]
    assert (
        "for 1,000 outer iterations: reptile-tf train --config='my r"
        in lines[4]
    )
    assert lines[5].startswith("That is 25 times as long as a trial")
    longer = dataclasses.replace(SETTINGS, trial_iterations=50)
    assert len(report.summary(longer, both, "a").splitlines()) == 5


def test_that_nothing_came_out():
    wild = Result(0, trials.DIVERGED, 0, reason="task 3: not finite")
    assert report.summary(SETTINGS, history(wild), "a").splitlines() == [
        "1 trial: 1 diverged",
        "The preset: trial 0: inner_steps 5, outer_step_size 0.7: diverged: "
        "task 3: not finite",
        "No trial finished: narrow the space",
    ]
